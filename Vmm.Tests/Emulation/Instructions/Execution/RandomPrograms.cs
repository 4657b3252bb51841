// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>
/// Random code that seldom faults: the instructions that have handlers of their own in blocks, among those that have none, vectors and
/// the x87, with prefixes, operands in registers and memory, jumps over a few bytes, and stores into the code itself.
/// </summary>
internal sealed class RandomPrograms(Random random)
{
    /// <summary>Opcodes with ModRM; 0x0Fxx stands for two bytes.</summary>
    private static readonly int[] s_withModRm =
    [
        0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0A, 0x0B, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1A, 0x1B, 0x20, 0x21, 0x22, 0x23,
        0x28, 0x29, 0x2A, 0x2B, 0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3A, 0x3B, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B,
        0x8D, 0xD0, 0xD1, 0xD2, 0xD3, 0xFE, 0x63, 0x8F, 0x8E, 0x0FA3, 0x0FAB, 0x0FAF, 0x0FB0, 0x0FB1, 0x0FB6, 0x0FB7, 0x0FBC, 0x0FBD,
        0x0FBE, 0x0FBF, 0x0FC0, 0x0FC1, 0x0FA5, 0x0FAD, 0x0F1F, 0x0F6F, 0x0F7F, 0x0FEF,
    ];

    /// <summary>Vectors, by their prefixes of single and double precision, scalars, integers in MMX and XMM registers; and the x87.</summary>
    private static readonly int[] s_floating =
    [
        0x0F10, 0x0F11, 0x0F12, 0x0F13, 0x0F14, 0x0F16, 0x0F28, 0x0F29, 0x0F2A, 0x0F2C, 0x0F2D, 0x0F2E, 0x0F2F, 0x0F51, 0x0F54, 0x0F57,
        0x0F58, 0x0F59, 0x0F5A, 0x0F5B, 0x0F5C, 0x0F5D, 0x0F5E, 0x0F5F, 0x0F60, 0x0F62, 0x0F64, 0x0F6B, 0x0F6E, 0x0F74, 0x0F76, 0x0F7E,
        0x0FD4, 0x0FD6, 0x0FD7, 0x0FDB, 0x0FE6, 0x0FF5, 0x0FFA, 0x0FFE, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF,
    ];

    private static readonly int[] s_withModRmAndByte = [0x80, 0x83, 0xC0, 0xC1, 0xC6, 0x6B, 0x0FA4, 0x0FAC, 0x0FBA];

    private static readonly byte[] s_withoutOperands =
    [
        0x50, 0x51, 0x53, 0x54, 0x55, 0x57, 0x58, 0x59, 0x5A, 0x5C, 0x5E, 0x90, 0x91, 0x97, 0x98, 0x99, 0x9C, 0x9D, 0x9E, 0x9F, 0xC3, 0xC9,
        0xF5, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xA4, 0xA5, 0xAA, 0xAB, 0xAC, 0xAE, 0xA6, 0x40, 0x48, 0x16, 0x17, 0xF4,
    ];

    private static readonly byte[] s_withByte = [0x04, 0x0C, 0x14, 0x1C, 0x24, 0x2C, 0x34, 0x3C, 0xA8, 0x6A, 0xB0, 0xB4, 0xE2, 0xE3];

    /// <summary>Fills a buffer with instructions.</summary>
    internal void Fill(Span<byte> code)
    {
        int at = 0;
        while (at < code.Length - 16)
        {
            at = Append(code, at);
        }

        code[at..].Fill(0x90);
    }

    private int Append(Span<byte> code, int at)
    {
        if (random.Next(8) == 0)
        {
            code[at++] = (byte)random.Next(0x64, 0x68);
        }

        if (random.Next(12) == 0)
        {
            code[at++] = random.Next(3) == 0 ? (byte)0xF0 : (byte)random.Next(0xF2, 0xF4);
        }

        if (random.Next(3) == 0)
        {
            code[at++] = (byte)random.Next(0x40, 0x50);
        }

        switch (random.Next(16))
        {
            case 0:
                code[at++] = Pick(s_withoutOperands);
                return at;
            case 1:
                code[at++] = Pick(s_withByte);
                code[at++] = (byte)random.Next(256);
                return at;
            case 2:
                // A jump forward over a few bytes, into the middle of instructions too.
                code[at++] = (byte)(random.Next(6) == 0 ? random.Next(2) == 0 ? 0xEB : 0xE8 : random.Next(0x70, 0x80));
                code[at++] = (byte)random.Next(12);
                if (code[at - 2] == 0xE8)
                {
                    code[at++] = 0;
                    code[at++] = 0;
                    code[at++] = 0;
                }

                return at;
            case 3:
                code[at++] = 0x0F;
                code[at++] = (byte)(random.Next(2) == 0 ? random.Next(0x40, 0x50) : random.Next(0x90, 0xA0));
                return ModRm(code, at);
            case 4 or 5 or 6:
                at = ModRm(code, Opcode(code, at, Pick(s_withModRmAndByte)));
                code[at++] = (byte)random.Next(256);
                return at;
            case 7:
                code[at++] = (byte)(0xF6 + random.Next(2));
                return ModRm(code, at);
            case 8 or 9:
                return ModRm(code, Opcode(code, at, Pick(s_floating)));
            default:
                return ModRm(code, Opcode(code, at, Pick(s_withModRm)));
        }
    }

    private static int Opcode(Span<byte> code, int at, int opcode)
    {
        if (opcode > 0xFF)
        {
            code[at++] = (byte)(opcode >> 8);
        }

        code[at++] = (byte)opcode;
        return at;
    }

    /// <summary>Registers, or memory near one of them, or near the code.</summary>
    private int ModRm(Span<byte> code, int at)
    {
        int reg = random.Next(8) << 3;
        switch (random.Next(10))
        {
            case < 5:
                code[at++] = (byte)(0xC0 | reg | random.Next(8));
                return at;
            case < 8:
                int rm = random.Next(8);
                code[at++] = (byte)(0x40 | reg | rm);
                if (rm == 4)
                {
                    code[at++] = (byte)random.Next(256);
                }

                code[at++] = (byte)random.Next(256);
                return at;
            case 8:
                code[at++] = (byte)(reg | random.Next(8));
                return at;
            default:
                // RIP-relative in 64-bit mode, a little ahead: a store modifies what comes.
                code[at++] = (byte)(reg | 5);
                BitConverter.TryWriteBytes(code[at..], random.Next(40));
                return at + 4;
        }
    }

    private T Pick<T>(T[] from) => from[random.Next(from.Length)];
}
