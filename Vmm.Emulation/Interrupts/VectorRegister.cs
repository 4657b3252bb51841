// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Interrupts;

/// <summary>One of the three 256-bit registers of a local APIC. Every operation is atomic for its word.</summary>
internal struct VectorRegister
{
    private const int Words = 4;

    private Storage _words;

    /// <summary>The highest vector that is set, or -1.</summary>
    public readonly int Highest
    {
        get
        {
            for (int index = Words - 1; index >= 0; index--)
            {
                ulong word = Volatile.Read(in _words[index]);
                if (word != 0)
                {
                    return (index << 6) + BitOperations.Log2(word);
                }
            }

            return -1;
        }
    }

    public readonly bool this[int vector] => (Volatile.Read(in _words[vector >> 6]) & Bit(vector)) != 0;

    /// <summary>Sets a vector.</summary>
    /// <returns>Whether it was not set before.</returns>
    public bool Set(int vector) => (Interlocked.Or(ref _words[vector >> 6], Bit(vector)) & Bit(vector)) == 0;

    public void Clear(int vector) => Interlocked.And(ref _words[vector >> 6], ~Bit(vector));

    /// <summary>Makes a vector's bit so; costs no locked operation when it is already.</summary>
    public void Assign(int vector, bool set)
    {
        if (this[vector] == set)
        {
            return;
        }

        if (set)
        {
            Set(vector);
        }
        else
        {
            Clear(vector);
        }
    }

    /// <summary>The 32 vectors that one register of the guest shows.</summary>
    public readonly uint Read32(int index) => (uint)(Volatile.Read(in _words[index >> 1]) >> ((index & 1) * 32));

    public readonly VectorBits Save() => new(
        Volatile.Read(in _words[0]), Volatile.Read(in _words[1]), Volatile.Read(in _words[2]), Volatile.Read(in _words[3]));

    public void Restore(VectorBits bits)
    {
        for (int index = 0; index < Words; index++)
        {
            Volatile.Write(ref _words[index], bits.Word(index));
        }
    }

    private static ulong Bit(int vector) => 1UL << (vector & 63);

    [InlineArray(Words)]
    private struct Storage
    {
        private ulong _first;
    }
}
