// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Tests.Emulation.Instructions.Execution;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Draws random encodings of a form: operands, displacements, immediates, prefixes that leave the form what it is.</summary>
internal static class FormEncoder
{
    private const int Attempts = 60;

    /// <summary>Fills a window of 15 bytes with an encoding of the form and random bytes behind it.</summary>
    internal static Iced.Intel.Instruction Draw(Random random, InstructionForm form, Span<byte> window, ulong address, out Iced.Intel.ConstantOffsets constants)
    {
        byte[] candidate = new byte[15];
        for (int attempt = 0; ; attempt++)
        {
            if (attempt < Attempts)
            {
                Mutate(random, form, candidate);
            }
            else
            {
                form.Sample.CopyTo(candidate, 0);
            }

            Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(16 << (int)form.CodeSize, candidate, address);
            Iced.Intel.Instruction instruction = decoder.Decode();
            if (instruction.Code == form.Code || attempt == Attempts)
            {
                constants = decoder.GetConstantOffsets(instruction);
                candidate.CopyTo(window);
                return instruction;
            }
        }
    }

    private static void Mutate(Random random, InstructionForm form, byte[] candidate)
    {
        random.NextBytes(candidate);
        ReadOnlySpan<byte> sample = form.Sample.AsSpan(0, form.Length);
        int at = 0;
        if (random.Next(6) == 0)
        {
            ReadOnlySpan<byte> extra = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67, 0xF0, 0xF0, 0x3E, 0xF3, 0xF2];
            candidate[at++] = extra[random.Next(extra.Length)];
        }

        int from = 0;
        while (from < sample.Length - 1 && sample[from] is 0x66 or 0x67 or 0xF2 or 0xF3 or 0x9B)
        {
            candidate[at++] = sample[from++];
        }

        bool is64 = form.CodeSize == CodeSize.Bits64;
        if (from < sample.Length && sample[from] == 0xC4 && sample.Length >= 5 && (is64 || sample[from + 1] >= 0xC0))
        {
            // VEX: R, X and B, vvvv; outside 64-bit mode only vvvv, of which three bits count.
            candidate[at++] = 0xC4;
            candidate[at++] = is64 ? (byte)(sample[from + 1] ^ random.Next(8) << 5) : sample[from + 1];
            int vvvv = random.Next(2) == 0 ? 0 : random.Next(16) << 3;
            candidate[at++] = (byte)(sample[from + 2] ^ vvvv);
            from += 3;
        }
        else if (is64)
        {
            byte rex = from < sample.Length && sample[from] is >= 0x40 and < 0x50 ? sample[from++] : (byte)0;
            if (rex != 0 || random.Next(2) == 0)
            {
                candidate[at++] = (byte)(0x40 | rex | random.Next(8));
            }
        }

        // Escapes and the opcode; a register may be in its low bits.
        bool escaped = sample[from] == 0x0F;
        if (escaped)
        {
            candidate[at++] = sample[from++];
            if (sample[from] is 0x38 or 0x3A)
            {
                candidate[at++] = sample[from++];
            }
        }

        candidate[at++] = random.Next(3) == 0 ? (byte)(sample[from++] ^ random.Next(8)) : sample[from++];
        if (from < sample.Length && random.Next(2) == 0)
        {
            // ModRM, with the register that may be a part of the opcode.
            candidate[at] = random.Next(2) == 0 ? sample[from] : (byte)(candidate[at] & 0xC7 | sample[from] & 0x38);
        }
    }
}
