// SPDX-License-Identifier: BSD-2-Clause

using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using DecodeStatus = Vmm.Emulation.Instructions.Decoding.DecodeStatus;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;
using Operation = Vmm.Emulation.Instructions.Decoding.Operation;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Finds an encoding of each of Iced's codes that the decoder knows, by walking opcodes, prefixes and ModRM bytes.</summary>
internal static class InstructionForms
{
    private static readonly byte[][] s_prefixes =
    [
        [], [0x66], [0xF2], [0xF3], [0x48], [0x66, 0x48], [0xF2, 0x48], [0xF3, 0x48], [0x67], [0x67, 0x48], [0x66, 0x67], [0xF2, 0x66], [0xF3, 0x66],
        [0x9B], [0x67, 0x66, 0xF3],
    ];

    /// <summary>The forms of a mode, each once, in the order of the opcode maps.</summary>
    internal static IReadOnlyList<InstructionForm> Sweep(CodeSize codeSize)
    {
        List<InstructionForm> forms = [];
        HashSet<Iced.Intel.Code> seen = [];
        byte[] window = new byte[Decoder.MaximumLength];
        foreach (byte[] bytes in Encodings())
        {
            Array.Clear(window);
            bytes.CopyTo(window, 0);
            if (Decoder.Decode(window, codeSize, out Instruction instruction) != DecodeStatus.Decoded || instruction.Operation == Operation.Evex)
            {
                continue;
            }

            Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(16 << (int)codeSize, window);
            Iced.Intel.Code code = decoder.Decode().Code;
            if (seen.Add(code))
            {
                forms.Add(new(code, instruction.Operation, codeSize, (byte[])window.Clone(), instruction.Length));
            }
        }

        return forms;
    }

    private static IEnumerable<byte[]> Encodings()
    {
        for (int map = 0; map < 4; map++)
        {
            byte[] escape = map switch
            {
                0 => [],
                1 => [0x0F],
                2 => [0x0F, 0x38],
                _ => [0x0F, 0x3A],
            };
            for (int opcode = 0; opcode < 256; opcode++)
            {
                foreach (byte modRm in ModRms(opcode, map))
                {
                    foreach (byte[] prefix in s_prefixes)
                    {
                        yield return [.. prefix, .. escape, (byte)opcode, modRm];
                    }

                    for (int payload = 0; map > 0 && payload < 16; payload++)
                    {
                        byte last = (byte)((payload & 8) << 4 | 0x78 | payload & 7);
                        yield return [0xC4, (byte)(0xE0 | map), last, (byte)opcode, modRm];
                        yield return [0xC4, (byte)(0xE0 | map), (byte)(last & 0xBF), (byte)opcode, modRm];
                    }
                }
            }
        }
    }

    private static IEnumerable<byte> ModRms(int opcode, int map)
    {
        for (int reg = 0; reg < 8; reg++)
        {
            yield return (byte)(reg << 3 | 6);
            yield return (byte)(0xC0 | reg << 3 | 1);
        }

        bool hasExact = map == 0 && opcode is >= 0xC6 and <= 0xC7 or >= 0xD8 and <= 0xDF || map == 1 && opcode is 0x01 or 0x1E or 0xAE or 0xC7;
        for (int value = 0xC0; hasExact && value < 0x100; value++)
        {
            yield return (byte)value;
        }
    }
}
