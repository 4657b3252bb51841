// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Concurrent;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>The scripted backend's part of a VM.</summary>
internal sealed partial class FakeVm(FakeBackend backend, BackendVmOptions options) : IBackendVm, IBackendInterrupts
{
    private readonly ConcurrentDictionary<int, FakeVcpu> _vcpus = new();
    private readonly List<MemoryPlacement> _placements = [];
    private readonly ConcurrentDictionary<ulong, byte> _written = new();

    public FakeBackend Backend { get; } = backend;

    public BackendVmOptions Options { get; } = options;

    public InterruptControllerMode InterruptControllerMode => Options.InterruptControllerMode;

    /// <summary>What is placed now.</summary>
    public IReadOnlyList<MemoryPlacement> Placements => _placements;

    /// <summary>What placing memory fails with, or null.</summary>
    public VmmException? PlacementRefusal { get; set; } = backend.PlacementRefusal;

    /// <summary>The calls that drove a line.</summary>
    public List<(int Line, bool Asserted)> Lines { get; } = [];

    /// <summary>The messages that were sent.</summary>
    public List<(ulong Address, uint Data)> Messages { get; } = [];

    /// <summary>The routes of level-triggered interrupts that were told, by pin.</summary>
    public Dictionary<int, (ulong Address, uint Data)?> LevelRoutes { get; } = [];

    public bool IsDisposed { get; private set; }

    /// <summary>A vCPU that the engine has created.</summary>
    public FakeVcpu Vcpu(int id) => _vcpus[id];

    public bool HasVcpu(int id) => _vcpus.ContainsKey(id);

    public IBackendVcpu CreateVcpu(VcpuId id)
    {
        RequireAlive();
        if (id.Value < 0 || id.Value >= Options.MaxCpus)
        {
            throw new VmmException("CreateVcpu", VmmError.EINVAL, $"vCPU {id} is out of range");
        }

        FakeVcpu vcpu = new(this, id);
        if (!_vcpus.TryAdd(id.Value, vcpu))
        {
            throw new VmmException("CreateVcpu", VmmError.EEXIST, $"vCPU {id} exists");
        }

        return vcpu;
    }

    public IDisposable PlaceMemory(in MemoryPlacement placement)
    {
        RequireAlive();
        RequireNobodyRuns();
        if (PlacementRefusal is { } refusal)
        {
            throw refusal;
        }

        MemoryPlacement added = placement;
        if (_placements.Any(other => other.Range.Overlaps(added.Range)))
        {
            throw new FakeProtocolException($"{added.Range} is placed over other memory");
        }

        if (!added.Range.Start.IsPageAligned || added.Range.Length % 4096 != 0 || added.Offset % 4096 != 0
            || added.Offset + added.Range.Length > added.Block.Length)
        {
            throw new FakeProtocolException($"{added.Range} is not whole pages of its block");
        }

        if (!added.Block.TryAddReference())
        {
            throw new FakeProtocolException("freed memory is placed");
        }

        _placements.Add(added);
        return new Placement(this, added);
    }

    /// <summary>Says that the guest wrote the page of an address.</summary>
    public void GuestWrites(ulong address) => _written[address / 4096] = 0;

    public void SetLine(int line, bool asserted) => Lines.Add((line, asserted));

    public bool SignalMsi(ulong address, uint data)
    {
        Messages.Add((address, data));
        return true;
    }

    public void SetLevelRoute(int pin, (ulong Address, uint Data)? message) => LevelRoutes[pin] = message;

    public void Dispose()
    {
        if (_vcpus.Values.Any(vcpu => !vcpu.IsDisposed))
        {
            throw new FakeProtocolException("the VM is disposed before its vCPUs");
        }

        IsDisposed = true;
    }

    private void RequireAlive()
    {
        if (IsDisposed)
        {
            throw new FakeProtocolException("the VM is used after it was disposed");
        }
    }

    private void RequireNobodyRuns()
    {
        if (_vcpus.Values.Any(vcpu => vcpu.IsInGuest))
        {
            throw new FakeProtocolException("memory changes while a vCPU runs");
        }
    }

    private sealed class Placement(FakeVm machine, MemoryPlacement placement) : IDisposable, IDirtyLog
    {
        private bool _disposed;

        public void Drain(ulong firstPage, ulong pages, Span<ulong> bits)
        {
            ulong length = placement.Range.Length / 4096;
            if (_disposed || !placement.TrackDirty || firstPage % 64 != 0
                || (pages % 64 != 0 && firstPage + pages != length) || firstPage + pages > length
                || (ulong)bits.Length != (length + 63) / 64)
            {
                throw new FakeProtocolException($"pages {firstPage} to {firstPage + pages} of {length} are drained");
            }

            ulong start = placement.Range.Start.Value / 4096;
            for (ulong page = firstPage; page < firstPage + pages; page++)
            {
                if (machine._written.TryRemove(start + page, out _))
                {
                    Interlocked.Or(ref bits[(int)(page / 64)], 1ul << (int)(page % 64));
                }
            }
        }

        public void Dispose()
        {
            if (!_disposed)
            {
                machine.RequireNobodyRuns();
                _disposed = true;
                machine._placements.Remove(placement);
                placement.Block.ReleaseReference();
            }
        }
    }
}
