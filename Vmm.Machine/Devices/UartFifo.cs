// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// The receiver's FIFO: up to sixteen characters, each with its errors, packed into two words so that a copy is a snapshot.
/// </summary>
internal struct UartFifo
{
    /// <summary>Characters it holds at most.</summary>
    internal const int Depth = 16;

    private const int BitsPerEntry = 8;

    // Parity, framing and break: the errors that belong to a character.
    private const byte EntryErrors = (byte)(UartLineErrors.Parity | UartLineErrors.Framing | UartLineErrors.Break);
    private const ulong EightEntryErrors = EntryErrors * 0x0101_0101_0101_0101ul;

    /// <summary>Characters in it.</summary>
    internal int Count { get; private set; }

    /// <summary>The characters, the oldest in the lowest byte.</summary>
    internal UInt128 Data { get; private set; }

    /// <summary>Their errors, in the same order.</summary>
    internal UInt128 Errors { get; private set; }

    /// <summary>Errors of the oldest character; none when empty.</summary>
    internal readonly UartLineErrors HeadErrors => (UartLineErrors)(byte)Errors;

    /// <summary>Rebuilds a FIFO; entries beyond the count are dropped, and so are errors that no character has.</summary>
    internal static UartFifo From(int count, UInt128 data, UInt128 errors)
    {
        UInt128 mask = count == Depth ? UInt128.MaxValue : (UInt128.One << (count * BitsPerEntry)) - 1;
        return new UartFifo { Count = count, Data = data & mask, Errors = errors & mask & new UInt128(EightEntryErrors, EightEntryErrors) };
    }

    /// <summary>Appends; the caller has made sure of room.</summary>
    internal void Push(byte value, UartLineErrors errors)
    {
        int shift = Count * BitsPerEntry;
        Data |= (UInt128)value << shift;
        Errors |= (UInt128)(byte)errors << shift;
        Count++;
    }

    /// <summary>Takes the oldest character; zero when empty.</summary>
    internal byte Pop()
    {
        if (Count == 0)
        {
            return 0;
        }

        byte value = (byte)Data;
        Data >>= BitsPerEntry;
        Errors >>= BitsPerEntry;
        Count--;
        return value;
    }

    /// <summary>Forgets the errors of the oldest character: they have been read.</summary>
    internal void ClearHeadErrors() => Errors &= ~(UInt128)byte.MaxValue;
}
