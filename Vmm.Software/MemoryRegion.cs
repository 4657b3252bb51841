// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Software.Interop;

namespace Vmm.Software;

/// <summary>A range of guest-physical addresses that is memory. Immutable.</summary>
/// <param name="first">The first address, on a page boundary.</param>
/// <param name="length">Bytes, in pages; zero for the region that holds nothing.</param>
/// <param name="memory">
/// The memory. It is held here too: a placement that its owner forgets instead of disposing it keeps its memory as long as the VM lives.
/// </param>
/// <param name="offset">The region's first byte in it.</param>
/// <param name="isReadOnly">Whether writes are handed over.</param>
/// <param name="written">A bit for each page that was written, where that is asked for; else null.</param>
internal sealed class MemoryRegion(ulong first, ulong length, HostMemory? memory, ulong offset, bool isReadOnly, ulong[]? written = null)
{
    private const int PageShift = 12;

    /// <summary>The region that holds nothing.</summary>
    public static MemoryRegion None { get; } = new(0, 0, null, 0, isReadOnly: true);

    /// <summary>The first address.</summary>
    public ulong First { get; } = first;

    /// <summary>Bytes.</summary>
    public ulong Length { get; } = length;

    /// <summary>Where the first byte lies in the process.</summary>
    public nint Host { get; } = memory is null ? 0 : memory.Address + (nint)offset;

    /// <summary>The memory that the region lies in; null for the region that holds nothing.</summary>
    public HostMemory? Memory { get; } = memory;

    /// <summary>Whether writes are handed over.</summary>
    public bool IsReadOnly { get; } = isReadOnly;

    /// <summary>Whether a write needs no look at the region.</summary>
    public bool IsPlain { get; } = !isReadOnly && written is null;

    /// <summary>A bit for each page that was written, where that is asked for; else null.</summary>
    public ulong[]? Written { get; } = written;

    /// <summary>Notes a write, where that is asked for. Any thread.</summary>
    /// <param name="offset">Where in the region; the write stays within a page.</param>
    public void NoteWrite(ulong offset)
    {
        if (Written is not null)
        {
            ulong page = offset >> PageShift;
            ref ulong word = ref Written[page / 64];
            ulong bit = 1UL << (int)(page % 64);
            if ((Volatile.Read(ref word) & bit) == 0)
            {
                Interlocked.Or(ref word, bit);
            }
        }
    }

    /// <summary>Whether a range lies within the region.</summary>
    public bool Contains(ulong address, int size) =>
        address - First < Length && (uint)size <= Length - (address - First);
}
