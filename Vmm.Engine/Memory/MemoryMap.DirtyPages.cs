// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <content>The pages that were written.</content>
internal sealed partial class MemoryMap : IDirtyPageTracking
{
    private const string TrackOperation = "vm_track_dirty_pages";
    private const ulong LongestQuery = 1ul << 30;

    /// <inheritdoc/>
    public void TrackDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap) =>
        Report(address, length, bitmap, forget: true);

    /// <inheritdoc/>
    public void PeekDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap) =>
        Report(address, length, bitmap, forget: false);

    /// <inheritdoc/>
    public void MarkDirtyPages(GuestPhysicalAddress address, ulong length)
    {
        if (!TryGetRange(address, length, out GuestPhysicalRange wanted))
        {
            return;
        }

        lock (_lock)
        {
            foreach (MappedRange range in _ranges)
            {
                if (TryIntersect(range, wanted, out ulong page, out ulong pages))
                {
                    range.Dirty!.Mark(page, pages);
                }
            }
        }
    }

    /// <inheritdoc/>
    public ulong TakeDirtyRuns(ICollection<GuestPhysicalRange> runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        RequireTracking();
        ulong count = 0;
        lock (_lock)
        {
            foreach (MappedRange range in _ranges)
            {
                DrainAll(range);
                count += range.Dirty!.TakeRuns(range.Range.Start, runs);
            }
        }

        return count;
    }

    private static void DrainAll(MappedRange range)
    {
        if (range is { Dirty: { } dirty, Placement: IDirtyLog log })
        {
            dirty.Drain(log, 0, range.Mapping.Length / PageSize.Bytes);
        }
    }

    private static bool TryIntersect(MappedRange range, GuestPhysicalRange wanted, out ulong page, out ulong pages)
    {
        page = 0;
        pages = 0;
        if (!range.Range.Overlaps(wanted))
        {
            return false;
        }

        ulong first = Math.Max(range.Range.Start.Value, wanted.Start.Value);
        ulong last = Math.Min(range.Range.Last.Value, wanted.Last.Value);
        page = (first - range.Range.Start.Value) / PageSize.Bytes;
        pages = (last - first + 1) / PageSize.Bytes;
        return true;
    }

    private void Report(GuestPhysicalAddress address, ulong length, Span<byte> bitmap, bool forget)
    {
        if (!TryGetRange(address, length, out GuestPhysicalRange wanted))
        {
            return;
        }

        ulong wantedPages = length / PageSize.Bytes;
        if (length > LongestQuery || (ulong)bitmap.Length < (wantedPages + 7) / 8)
        {
            EngineThrow.Invalid(
                TrackOperation, $"{length} bytes are more than 1 GiB, or more than a bitmap of {bitmap.Length} bytes has bits for");
        }

        lock (_lock)
        {
            foreach (MappedRange range in _ranges)
            {
                if (!TryIntersect(range, wanted, out ulong page, out ulong pages))
                {
                    continue;
                }

                DirtyPages dirty = range.Dirty!;
                if (range.Placement is IDirtyLog log)
                {
                    dirty.Drain(log, page, pages);
                }

                ulong offset = ((range.Range.Start.Value - address.Value) / PageSize.Bytes) + page;
                for (ulong i = 0; i < pages; i++)
                {
                    if (forget ? dirty.Take(page + i) : dirty.Test(page + i))
                    {
                        bitmap[(int)((offset + i) / 8)] |= (byte)(1 << (int)((offset + i) % 8));
                    }
                }
            }
        }
    }

    /// <summary>Checks what a query asks for.</summary>
    /// <returns>Whether it asks for anything.</returns>
    private bool TryGetRange(GuestPhysicalAddress address, ulong length, out GuestPhysicalRange range)
    {
        RequireTracking();
        range = default;
        if (!address.IsPageAligned || !PageSize.IsMultiple(length))
        {
            EngineThrow.Invalid(TrackOperation, $"{length} bytes at {address} are not whole pages");
        }

        if (length != 0 && !GuestPhysicalRange.TryCreate(address, length, out range))
        {
            EngineThrow.Invalid(TrackOperation, $"{length} bytes at {address} leave the guest-physical space");
        }

        return length != 0;
    }

    private void RequireTracking()
    {
        ObjectDisposedException.ThrowIf(_machine.IsDisposed, _machine);
        if (!_trackDirty)
        {
            EngineThrow.Refuse(TrackOperation, VmmError.EPERM, "the VM was created without CreateFlags.TrackDirty");
        }
    }
}
