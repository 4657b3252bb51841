// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;

namespace Vmm.Tests.Support;

/// <content>Doorbells and collected writes, where a test says that the hypervisor has them.</content>
internal sealed partial class FakeVm : IBackendDoorbells
{
    /// <summary>The doorbells that stand.</summary>
    public List<Doorbell> Doorbells { get; } = [];

    /// <summary>The ranges that stand.</summary>
    public List<(BusKind Bus, ulong First, uint Length)> CollectedRanges { get; } = [];

    /// <summary>What was collected and nobody has taken yet.</summary>
    public Queue<CollectedWrite> Collected { get; } = new();

    public IDisposable? TryAttachDoorbell(in Doorbell doorbell, SafeHandle target) => Register(Doorbells, doorbell);

    public IDisposable? TryCollect(BusKind bus, ulong first, uint length) => Register(CollectedRanges, (bus, first, length));

    private Ending? Register<T>(List<T> list, T item)
    {
        RequireAlive();
        if (Backend.DoorbellRefusal is { } refusal)
        {
            throw refusal;
        }

        if (!Backend.TakesDoorbells)
        {
            return null;
        }

        list.Add(item);
        return new Ending(() =>
        {
            RequireAlive();
            if (!list.Remove(item))
            {
                throw new FakeProtocolException($"{item} is ended twice");
            }
        });
    }

    private sealed class Ending(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}

/// <content>The writes that were collected for the VM.</content>
internal sealed partial class FakeVcpu : IBackendCollectedWrites
{
    public int Capacity => 8;

    public bool TryTake(out CollectedWrite write) => _machine.Collected.TryDequeue(out write);
}
