// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>
/// The segments of a VM and their mappings. Changes happen while every vCPU is frozen, one at a time; looks happen at any
/// time on the published mappings.
/// </summary>
internal sealed partial class MemoryMap : IMemoryMap
{
    /// <summary>The last address that a mapping may contain.</summary>
    private const ulong LastGuestPhysical = 0x3fff_ffff_ffff;

    private const MemoryProtection KnownProtection = MemoryProtection.All | MemoryProtection.User;

    private readonly Lock _lock = new();
    private readonly VirtualMachine _machine;
    private readonly Segment?[] _segments;
    private readonly int _maxMappings;
    private readonly bool _trackDirty;
    private readonly GuestAddressSpace _space;
    private MappedRange[] _ranges = [];

    public MemoryMap(VirtualMachine machine, VirtualMachineOptions options, GuestAddressSpace space)
    {
        _machine = machine;
        _segments = new Segment?[options.MaxMemorySegments];
        _maxMappings = options.MaxMemoryMappings;
        _trackDirty = (options.Flags & CreateFlags.TrackDirty) != 0;
        _space = space;
    }

    /// <inheritdoc/>
    public GuestPhysicalAddress SystemMemoryEnd
    {
        get
        {
            lock (_lock)
            {
                ulong end = 0;
                foreach (MappedRange range in _ranges)
                {
                    end = range.IsSystemMemory ? Math.Max(end, range.Range.Last.Value + 1) : end;
                }

                return new(end);
            }
        }
    }

    /// <inheritdoc/>
    public void AllocateSegment(
        IVcpuFreeze freeze,
        SegmentId segment,
        ulong length,
        bool isSystemMemory,
        GuestMemoryOptions options = default)
    {
        const string Operation = "vm_alloc_memseg";
        _machine.RequireFreeze(freeze);
        RequireSegmentId(Operation, segment);
        if (length == 0 || !PageSize.IsMultiple(length))
        {
            EngineThrow.Invalid(Operation, $"a segment's length is a positive multiple of 4096, not {length}");
        }

        lock (_lock)
        {
            if (_segments[segment.Value] is Segment present)
            {
                bool equal = present.Block.Length == length && present.IsSystemMemory == isSystemMemory;
                EngineThrow.Refuse(
                    Operation,
                    equal ? VmmError.EEXIST : VmmError.EINVAL,
                    $"segment {segment} exists with {present.Block.Length} bytes");
            }

            options = options with { Name = options.Name ?? "" };
            _segments[segment.Value] = new(_machine.HypervisorBackend.AllocateMemory(length, options), isSystemMemory);
        }
    }

    /// <inheritdoc/>
    public void FreeSegment(IVcpuFreeze freeze, SegmentId segment)
    {
        _machine.RequireFreeze(freeze);
        RequireSegmentId("vm_free_memseg", segment);
        lock (_lock)
        {
            _segments[segment.Value]?.Block.Dispose();
            _segments[segment.Value] = null;
        }
    }

    /// <inheritdoc/>
    public void Map(IVcpuFreeze freeze, in GuestMemoryMapping mapping)
    {
        const string Operation = "vm_mmap_memseg";
        _machine.RequireFreeze(freeze);
        lock (_lock)
        {
            Segment segment = CheckMapping(Operation, mapping);
            if (_ranges.Count(static range => !range.IsHostDevice) == _maxMappings)
            {
                EngineThrow.Refuse(Operation, VmmError.ENOSPC, $"all {_maxMappings} mappings of the VM are in use");
            }

            if (IsBeyondGuestPhysical(mapping.Address, mapping.Length))
            {
                EngineThrow.Refuse(
                    Operation,
                    VmmError.EFAULT,
                    $"{mapping.Length} bytes at {mapping.Address} reach beyond 0x{LastGuestPhysical:x}");
            }

            MappedRange range = new(mapping, segment.Block, segment.IsSystemMemory, _trackDirty);
            foreach (MappedRange other in _ranges)
            {
                if (other.Range.Overlaps(range.Range))
                {
                    EngineThrow.Refuse(Operation, VmmError.EFAULT, $"{range.Range} overlaps the mapping {other.Range}");
                }
            }

            try
            {
                Place(range);
                Wire(range);
            }
            catch (VmmException refusal)
            {
                throw new VmmException(Operation, VmmError.EFAULT, refusal.Message, refusal);
            }

            Insert(range);
        }
    }

    /// <inheritdoc/>
    public void Unmap(IVcpuFreeze freeze, GuestPhysicalAddress address, ulong length)
    {
        _machine.RequireFreeze(freeze);
        lock (_lock)
        {
            int at = length == 0
                ? -1
                : Array.FindIndex(_ranges, range => !range.IsHostDevice && range.Mapping.Address == address && range.Mapping.Length == length);
            if (at < 0)
            {
                EngineThrow.Invalid("vm_munmap_memseg", $"there is no mapping of exactly {length} bytes at {address}");
            }

            MappedRange removed = _ranges[at];
            Publish([.. _ranges[..at], .. _ranges[(at + 1)..]]);
            Drop(removed);
        }
    }

    /// <inheritdoc/>
    public bool TryGetNext(GuestPhysicalAddress from, out GuestMemoryMapping mapping)
    {
        lock (_lock)
        {
            foreach (MappedRange range in _ranges)
            {
                if (!range.IsHostDevice && range.Range.Start >= from)
                {
                    mapping = range.Mapping;
                    return true;
                }
            }

            mapping = default;
            return false;
        }
    }

    /// <inheritdoc/>
    public MemorySegmentInfo GetSegment(SegmentId segment)
    {
        RequireSegmentId("vm_get_memseg", segment);
        lock (_lock)
        {
            return _segments[segment.Value] is Segment present
                ? new(present.Block.Length, present.IsSystemMemory, present.Block)
                : default;
        }
    }

    /// <inheritdoc/>
    public bool IsAllocated(GuestPhysicalAddress address) => _space.Find(address) is not null;

    /// <summary>
    /// Places the mappings of RAM into a hypervisor VM that is to replace the present one, from which they are not taken yet. The caller has
    /// frozen the vCPUs until <see cref="MoveTo"/>.
    /// </summary>
    /// <returns>The mappings and their new placements.</returns>
    /// <exception cref="VmmException">What the hypervisor refuses; nothing is placed then.</exception>
    public IReadOnlyList<(MappedRange Range, IDisposable Placement)> PlaceAlsoIn(IBackendVm next)
    {
        List<(MappedRange Range, IDisposable Placement)> placed = [];
        lock (_lock)
        {
            try
            {
                foreach (MappedRange range in _ranges.Where(static range => range.IsSystemMemory))
                {
                    placed.Add((range, PlaceIn(next, range)));
                }
            }
            catch
            {
                placed.ForEach(static made => made.Placement.Dispose());
                throw;
            }
        }

        return placed;
    }

    /// <summary>Leaves the present hypervisor VM for the one in which RAM is placed already, and drops the mappings of device memory.</summary>
    public void MoveTo(IReadOnlyList<(MappedRange Range, IDisposable Placement)> placed)
    {
        lock (_lock)
        {
            Array.ForEach(_ranges, DrainAll);
            MappedRange[] dropped = [.. _ranges.Where(static range => !range.IsSystemMemory)];
            Publish([.. placed.Select(static made => made.Range)]);
            Array.ForEach(dropped, Drop);
            foreach ((MappedRange range, IDisposable placement) in placed)
            {
                range.Placement?.Dispose();
                range.Placement = placement;
            }
        }
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            MappedRange[] ranges = _ranges;
            Publish([]);
            Array.ForEach(ranges, Drop);
            for (int i = 0; i < _segments.Length; i++)
            {
                _segments[i]?.Block.Dispose();
                _segments[i] = null;
            }
        }
    }

    private static bool IsBeyondGuestPhysical(GuestPhysicalAddress address, ulong length) =>
        address.Value > LastGuestPhysical || length - 1 > LastGuestPhysical - address.Value;

    /// <summary>Publishes a mapping among the others, which are ordered by address.</summary>
    private void Insert(MappedRange range)
    {
        int at = 0;
        while (at < _ranges.Length && _ranges[at].Range.Start < range.Range.Start)
        {
            at++;
        }

        Publish([.. _ranges[..at], range, .. _ranges[at..]]);
    }

    private Segment CheckMapping(string operation, in GuestMemoryMapping mapping)
    {
        if (mapping.Protection == MemoryProtection.None || (mapping.Protection & ~KnownProtection) != 0)
        {
            EngineThrow.Invalid(operation, $"the protection 0x{(int)mapping.Protection:x} is empty or has unknown bits");
        }

        if ((mapping.Flags & ~MapFlags.Wired) != 0)
        {
            EngineThrow.Invalid(operation, $"the flags 0x{(int)mapping.Flags:x} have unknown bits");
        }

        RequireSegmentId(operation, mapping.Segment);
        Segment? segment = _segments[mapping.Segment.Value];
        if (segment is null)
        {
            EngineThrow.Invalid(operation, $"segment {mapping.Segment} is not allocated");
            throw new InvalidOperationException();
        }

        if (mapping.Length == 0
            || mapping.Offset > segment.Block.Length
            || mapping.Length > segment.Block.Length - mapping.Offset)
        {
            EngineThrow.Invalid(
                operation,
                $"{mapping.Length} bytes at offset 0x{mapping.Offset:x} are not within a segment of {segment.Block.Length} bytes");
        }

        if (!mapping.Address.IsPageAligned
            || !PageSize.IsMultiple(mapping.Offset)
            || !PageSize.IsMultiple(unchecked(mapping.Address.Value + mapping.Length)))
        {
            EngineThrow.Invalid(operation, "address, offset and end are multiples of 4096");
        }

        return segment;
    }

    private void Place(MappedRange range)
    {
        if (!range.Block.TryAddReference())
        {
            EngineThrow.Invalid("vm_mmap_memseg", $"segment {range.Mapping.Segment} is being freed");
        }

        try
        {
            range.Placement = PlaceIn(_machine.BackendVm, range);
        }
        catch
        {
            range.Block.ReleaseReference();
            throw;
        }
    }

    private IDisposable PlaceIn(IBackendVm vm, MappedRange range) => vm.PlaceMemory(new MemoryPlacement(
        range.Range,
        range.Block,
        range.Mapping.Offset,
        (range.Mapping.Protection & MemoryProtection.Write) == 0,
        _trackDirty));

    /// <summary>Keeps the pages of a mapping in where that is asked for. A mapping that the host refuses to keep in is dropped.</summary>
    private static void Wire(MappedRange range)
    {
        if ((range.Mapping.Flags & MapFlags.Wired) == 0)
        {
            return;
        }

        try
        {
            range.Block.Wire(range.Mapping.Offset, range.Mapping.Length);
        }
        catch
        {
            Drop(range);
            throw;
        }
    }

    private static void Drop(MappedRange range)
    {
        range.Placement?.Dispose();
        range.Placement = null;
        range.Block.ReleaseReference();
    }

    private void Publish(MappedRange[] ranges)
    {
        _ranges = ranges;
        _space.Publish(ranges);
    }

    private void RequireSegmentId(string operation, SegmentId segment)
    {
        if (segment.Value < 0 || segment.Value >= _segments.Length)
        {
            EngineThrow.Invalid(operation, $"segment {segment} is not 0 to {_segments.Length - 1}");
        }
    }

    private sealed record Segment(GuestMemoryBlock Block, bool IsSystemMemory);
}
