// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Support;

/// <summary>
/// A hypervisor that executes a script instead of a guest. It holds the engine to the contract: whatever the contract of
/// a backend forbids throws <see cref="FakeProtocolException"/>.
/// </summary>
internal sealed class FakeBackend : IHypervisorBackend, IHostEvents
{
    /// <summary>x87, SSE and AVX: what XCR0 may have.</summary>
    public const ulong Xcr0Limit = 7;

    private readonly Lock _lock = new();
    private readonly List<FakeVm> _machines = [];
    private readonly List<FakeMemoryBlock> _blocks = [];

    public HypervisorDescription Description { get; init; } =
        new("fake", HostVirtualization.Unknown, MaxCpus: 256, CpuidFixedAfterRun: true) { RecordsWrittenPages = true };

    public ImmutableArray<CpuidEntry> SupportedCpuid { get; init; } =
    [
        new(0, 0, false, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69),
        new(1, 0, false, 0x000306a9, 0xaabb0800, 0x00000001, 0x1fc9cbf5),
        new(4, 0, true, 0xfc000121, 0x01c0003f, 0x3f, 0),
        new(4, 3, true, 0xfc000163, 0x03c0003f, 0xfff, 6),
        new(0xb, 0, true, 0, 0, 0, 0xee),
        new(0xb, 1, true, 0, 0, 0, 0xee),
        new(0xb, 2, true, 0, 0, 0, 0xee),
        new(0xd, 0, true, (uint)Xcr0Limit, 0x340, 0x340, 0),
    ];

    /// <summary>The VMs created so far, the disposed ones included.</summary>
    public IReadOnlyList<FakeVm> Machines => Snapshot(_machines);

    /// <summary>The memory allocated so far, the freed one included.</summary>
    public IReadOnlyList<FakeMemoryBlock> Blocks => Snapshot(_blocks);

    /// <summary>What creating a VM fails with, or null.</summary>
    public VmmException? VmRefusal { get; set; }

    /// <summary>What placing memory into VMs that are made from now on fails with, or null.</summary>
    public VmmException? PlacementRefusal { get; set; }

    /// <summary>What allocating memory fails with, or null.</summary>
    public VmmException? MemoryRefusal { get; set; }

    /// <summary>Whether VMs take doorbells and collect writes.</summary>
    public bool TakesDoorbells { get; set; } = true;

    /// <summary>What taking a doorbell or a range fails with, or null.</summary>
    public VmmException? DoorbellRefusal { get; set; }

    /// <summary>Whether an offset of the time-stamp counter reads back.</summary>
    public bool TakesTscOffset { get; set; } = true;

    /// <summary>The offset that the time-stamp counters of vCPUs begin with; null where it is not told.</summary>
    public ulong? TscOffset { get; set; }

    /// <summary>What asking for the CPUID entries fails with, or null.</summary>
    public VmmException? CpuidRefusal { get; set; }

    public bool IsDisposed { get; private set; }

    public ImmutableArray<CpuidEntry> GetSupportedCpuid() =>
        CpuidRefusal is { } refusal ? throw refusal : SupportedCpuid;

    public ImmutableArray<MsrIndex> GetSupportedMsrs() => [.. FakeVcpu.KnownMsrs.Select(index => new MsrIndex(index))];

    public GuestMemoryBlock AllocateMemory(ulong length, in GuestMemoryOptions options)
    {
        if (MemoryRefusal is { } refusal)
        {
            throw refusal;
        }

        if (length == 0 || length % 4096 != 0)
        {
            throw new FakeProtocolException($"memory of {length} bytes is asked for");
        }

        FakeMemoryBlock block = new(length, options);
        lock (_lock)
        {
            _blocks.Add(block);
        }

        return block;
    }

    public IBackendVm CreateVm(in BackendVmOptions options)
    {
        if (VmRefusal is { } refusal)
        {
            throw refusal;
        }

        FakeVm machine = new(this, options);
        lock (_lock)
        {
            _machines.Add(machine);
        }

        return machine;
    }

    public SafeHandle CreateEvent() => EventFd.Create();

    public void SignalEvent(SafeHandle descriptor) => EventFd.Signal(descriptor);

    public ulong TakeEvent(SafeHandle descriptor) => EventFd.Take(descriptor);

    public IEventWait CreateEventWait() => new EventWait();

    public void Dispose() => IsDisposed = true;

    private List<T> Snapshot<T>(List<T> list)
    {
        lock (_lock)
        {
            return [.. list];
        }
    }
}
