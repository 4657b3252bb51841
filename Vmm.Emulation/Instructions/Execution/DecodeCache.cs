// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Decoded instructions by physical address and code size. An entry is used only if memory still holds the bytes it was
/// decoded from, so nobody has to tell the cache of a write: the guest's own, another CPU's or the host's.
/// </summary>
internal sealed class DecodeCache
{
    /// <summary>The bytes that a look-up compares at most.</summary>
    internal const int Window = 16;

    private const int Size = 4096;
    private readonly Entry[] _entries = new Entry[Size];
    private Instruction _single;

    /// <summary>The entry for an address; whether it holds that address, and the bytes there are unchanged.</summary>
    /// <param name="tag">The physical address with the code size above it.</param>
    /// <param name="code">At least 16 readable bytes.</param>
    /// <param name="hit">Whether the entry may be used.</param>
    internal ref Entry Find(ulong tag, ref byte code, out bool hit)
    {
        // SAFETY: the index is masked to the array's length.
        ref Entry entry = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_entries), (int)(tag >> 3 ^ tag >> 15) & (Size - 1));
        ulong low = Unsafe.ReadUnaligned<ulong>(ref code) ^ entry.Low;
        ulong high = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref code, 8)) ^ entry.High;
        hit = entry.Tag == tag && (low & entry.LowMask | high & entry.HighMask) == 0;
        return ref entry;
    }

    /// <summary>A place for an instruction that cannot be cached, until the next one.</summary>
    internal ref readonly Instruction Keep(Instruction instruction)
    {
        _single = instruction;
        return ref _single;
    }

    internal struct Entry
    {
        internal ulong Tag;
        internal ulong Low;
        internal ulong High;
        internal ulong LowMask;
        internal ulong HighMask;
        internal Instruction Instruction;

        internal void Set(ulong tag, ref byte code, in Instruction instruction)
        {
            int length = instruction.Length;
            Tag = tag;
            Low = Unsafe.ReadUnaligned<ulong>(ref code);
            High = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref code, 8));
            LowMask = length >= 8 ? ulong.MaxValue : (1UL << length * 8) - 1;
            HighMask = length <= 8 ? 0 : (1UL << (length - 8) * 8) - 1;
            Instruction = instruction;
        }
    }
}
