// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Software;

/// <summary>The software backend's part of a VM: where memory is, and what its vCPUs share.</summary>
internal sealed class SoftwareVm : IBackendVm, IBackendStatistics
{
    private readonly Lock _lock = new();
    private readonly HashSet<int> _vcpus = [];
    private MemoryRegion[] _regions = [];
    private int _mapVersion;

    public SoftwareVm(in BackendVmOptions options, SoftwareBackendOptions backend)
    {
        Options = options;
        TranslatesAfter = backend.TranslatesAfter;
        TranslatesAtOnce = backend.TranslatesAtOnce;
        Time = backend.Time;
        Clock = new SoftwareClock(Time);
        Sampler = backend.SamplingInterval > TimeSpan.Zero ? new PhaseSampler(backend.SamplingInterval) : null;
    }

    /// <summary>How the VM was made.</summary>
    public BackendVmOptions Options { get; }

    /// <inheritdoc cref="SoftwareBackendOptions.TranslatesAfter"/>
    public int TranslatesAfter { get; }

    /// <summary>What looks at the vCPUs' phases; null where nobody wants to know.</summary>
    public PhaseSampler? Sampler { get; }

    /// <inheritdoc cref="SoftwareBackendOptions.TranslatesAtOnce"/>
    public bool TranslatesAtOnce { get; }

    /// <summary>Blocks that are on their way to code of the host.</summary>
    public TranslationQueue Translations { get; } = new();

    /// <summary>The rare accesses that need memory for one vCPU alone.</summary>
    public VcpuExclusion Exclusion { get; } = new();

    /// <summary>What the TSCs of all vCPUs count.</summary>
    public SoftwareClock Clock { get; }

    /// <summary>Time that instructions make; null for the host's.</summary>
    public InstructionTime? Time { get; }

    /// <summary>Changes whenever memory comes or goes.</summary>
    public int MapVersion => Volatile.Read(ref _mapVersion);

    /// <inheritdoc/>
    public InterruptControllerMode InterruptControllerMode => InterruptControllerMode.Userspace;

    /// <inheritdoc/>
    public IReadOnlyList<BackendStatistic> ReadStatistics() =>
    [
        new("process_methods_compiled", StatisticKind.Cumulative, "1", JitInfo.GetCompiledMethodCount()),
        new("process_time_compiling", StatisticKind.Cumulative, "s", JitInfo.GetCompilationTime().TotalSeconds),
    ];

    /// <inheritdoc/>
    public IBackendVcpu CreateVcpu(VcpuId id)
    {
        const string Operation = "CreateVcpu";
        if (id.Value < 0 || id.Value >= Options.MaxCpus)
        {
            throw new VmmException(Operation, VmmError.EINVAL, $"vCPU {id} is not 0 to {Options.MaxCpus - 1}");
        }

        lock (_lock)
        {
            if (!_vcpus.Add(id.Value))
            {
                throw new VmmException(Operation, VmmError.EEXIST, $"vCPU {id} exists");
            }
        }

        SoftwareVcpu vcpu = new(this, id);
        Exclusion.Add(vcpu);
        Sampler?.Add(vcpu);
        return vcpu;
    }

    /// <inheritdoc/>
    public IDisposable PlaceMemory(in MemoryPlacement placement)
    {
        const string Operation = "PlaceMemory";
        if (placement.Block is not SoftwareMemoryBlock block)
        {
            throw new VmmException(Operation, VmmError.EINVAL, "the memory was not allocated by this backend");
        }

        GuestPhysicalRange range = placement.Range;
        const ulong PageSize = 0x1000;
        if ((range.Start.Value | range.Length | placement.Offset) % PageSize != 0
            || placement.Offset > block.Length || range.Length > block.Length - placement.Offset)
        {
            throw new VmmException(Operation, VmmError.EINVAL, $"{range} at offset 0x{placement.Offset:x} is not in pages of the block");
        }

        lock (_lock)
        {
            if (_regions.Any(other =>
                range.Start.Value - other.First < other.Length || other.First - range.Start.Value < range.Length))
            {
                throw new VmmException(Operation, VmmError.EEXIST, $"there is memory within {range}");
            }

            if (!block.TryAddReference())
            {
                throw new VmmException(Operation, VmmError.EINVAL, "the memory has been freed");
            }

            bool tracks = placement is { TrackDirty: true, ReadOnly: false };
            ulong[]? written = tracks ? new ulong[(range.Length / PageSize + 63) / 64] : null;
            MemoryRegion region = new(
                range.Start.Value, range.Length, block.Memory, placement.Offset, placement.ReadOnly, written);
            SetRegions([.. _regions.Append(region).OrderBy(other => other.First)]);
            return tracks ? new TrackedPlacement(this, region, block) : new Placement(this, region, block);
        }
    }

    /// <summary>The region that holds a range; <see cref="MemoryRegion.None"/> where not all of it is memory. Any thread.</summary>
    public MemoryRegion Find(ulong address, int length)
    {
        MemoryRegion[] regions = Volatile.Read(ref _regions);
        foreach (MemoryRegion region in regions)
        {
            if (region.Contains(address, length))
            {
                return region;
            }
        }

        return MemoryRegion.None;
    }

    /// <summary>A vCPU is gone; its number may be used again.</summary>
    public void Remove(SoftwareVcpu vcpu)
    {
        Exclusion.Remove(vcpu);
        Sampler?.Remove(vcpu);
        lock (_lock)
        {
            _vcpus.Remove(vcpu.Id.Value);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Placements and vCPUs are disposed by whoever made them; nothing of the host belongs to the VM itself.
        Translations.Clear();
    }

    private void Remove(MemoryRegion region)
    {
        lock (_lock)
        {
            SetRegions([.. _regions.Where(other => other != region)]);
        }
    }

    private void SetRegions(MemoryRegion[] regions)
    {
        Volatile.Write(ref _regions, regions);
        Interlocked.Increment(ref _mapVersion);
    }

    /// <summary>
    /// Takes over which pages were written. No vCPU executes meanwhile, and each looks at the map again before it goes on: what it
    /// remembers of a page must not keep its next write from being seen.
    /// </summary>
    private void Drain(MemoryRegion region, int first, int count, Span<ulong> bits)
    {
        Exclusion.Begin(null);
        ulong[] written = region.Written!;
        for (int word = first; word < Math.Min(first + count, written.Length); word++)
        {
            ulong some = Interlocked.Exchange(ref written[word], 0);
            if (some != 0)
            {
                Interlocked.Or(ref bits[word], some);
            }
        }

        Interlocked.Increment(ref _mapVersion);
        Exclusion.End(null);
    }

    private class Placement(SoftwareVm vm, MemoryRegion region, SoftwareMemoryBlock block) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                vm.Remove(region);
                block.ReleaseReference();
            }
        }
    }

    private sealed class TrackedPlacement(SoftwareVm vm, MemoryRegion region, SoftwareMemoryBlock block)
        : Placement(vm, region, block), IDirtyLog
    {
        private const int PagesAWord = 64;

        private readonly SoftwareVm _owner = vm;
        private readonly MemoryRegion _tracked = region;

        public void Drain(ulong firstPage, ulong pages, Span<ulong> bits) => _owner.Drain(
            _tracked, (int)(firstPage / PagesAWord), (int)((pages + PagesAWord - 1) / PagesAWord), bits);
    }
}
