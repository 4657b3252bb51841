// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;

namespace Vmm.Tests.Support;

/// <summary>The beginning of a guest of random bytes: registers for each mode, memory with tables that lead somewhere.</summary>
internal sealed class RandomStart
{
    /// <summary>Page tables begin here.</summary>
    public const ulong PageTables = 0x10000;

    private RandomStart(GeneralRegisters general) => General = general;

    public GeneralRegisters General { get; }

    /// <summary>Selectors and control registers, in the order in which they are to be set.</summary>
    public List<(RegisterName Register, ulong Value)> Registers { get; } = [];

    public List<(RegisterName Register, SegmentDescriptor Value)> Descriptors { get; } = [];

    /// <summary>Registers for a mode.</summary>
    /// <param name="random">Where from.</param>
    /// <param name="length">Bytes of memory.</param>
    public static RandomStart Create(Random random, int length)
    {
        RandomStart guest = new(new GeneralRegisters
        {
            Rax = Value(random, length),
            Rbx = Value(random, length),
            Rcx = Value(random, length),
            Rdx = Value(random, length),
            Rsi = Value(random, length),
            Rdi = Value(random, length),
            Rbp = Value(random, length),
            Rsp = Value(random, length),
            R8 = Value(random, length),
            R9 = Value(random, length),
            Rip = (ulong)random.Next(0x3000),
            Rflags = (ulong)random.NextInt64() & 0x3f7fd7 | 2,
        });
        for (RegisterName register = RegisterName.Es; register <= RegisterName.Tr; register++)
        {
            uint access = random.Next(4) == 0 ? (uint)random.Next(0x20000) : register == RegisterName.Cs ? 0x9bu : 0x93u;
            access |= random.Next(2) == 0 ? 0xc000u : 0;
            guest.Registers.Add((register, (ulong)random.Next(0x10000)));
            guest.Descriptors.Add((register, new SegmentDescriptor(
                random.Next(4) == 0 ? Value(random, length) : 0, uint.MaxValue >> random.Next(32), new SegmentAccess(access))));
        }

        guest.Descriptors.Add((RegisterName.Gdtr, new SegmentDescriptor((ulong)random.Next(0x8000), 0xffff, default)));
        guest.Descriptors.Add((RegisterName.Idtr, new SegmentDescriptor((ulong)random.Next(0x8000), 0xffff, default)));
        guest.SetMode(random, random.Next(4));
        return guest;
    }

    /// <summary>Random bytes everywhere, or zeros with islands, whose tables then lead somewhere more often.</summary>
    public static void FillMemory(Random random, Span<byte> memory)
    {
        const int Island = 0x4000;
        memory.Clear();
        for (int islands = random.Next(1, 12); islands > 0; islands--)
        {
            random.NextBytes(memory.Slice(random.Next(memory.Length - Island), Island));
        }

        random.NextBytes(memory[..0x3000]);

        // Page tables whose entries are present and point into memory, now and then with random rights.
        for (int entry = 0; entry < 2048; entry++)
        {
            ulong target = (ulong)random.Next(memory.Length >> 12) << 12;
            ulong rights = random.Next(8) == 0 ? (ulong)random.NextInt64() & 0x8000_0000_0000_0fff : 7;
            BitConverter.TryWriteBytes(memory[((int)PageTables + (entry * 8))..], target | rights);
        }
    }

    /// <summary>A number as guests have them in registers: an address, a small one, or anything.</summary>
    public static ulong Value(Random random, int length) => random.Next(4) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => (ulong)random.NextInt64() | 0xffff_8000_0000_0000,
        2 => (ulong)random.Next(16),
        _ => (ulong)random.Next(length),
    };

    private void SetMode(Random random, int mode)
    {
        Registers.Add((RegisterName.Cr3, PageTables));
        switch (mode)
        {
            case 0:
                break;
            case 1:
                Registers.Add((RegisterName.Cr0, 0x11));
                break;
            case 2:
                Registers.Add((RegisterName.Cr4, (ulong)random.Next(0x800)));
                Registers.Add((RegisterName.Cr0, 0x80000011));
                break;
            default:
                Registers.Add((RegisterName.Cr4, 0x6a0));
                Registers.Add((RegisterName.Efer, 0xd01));
                Registers.Add((RegisterName.Cr0, 0x80010031));
                Descriptors.Add((RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xa09b))));
                Descriptors.Add((RegisterName.Ss, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc093))));
                break;
        }
    }
}
