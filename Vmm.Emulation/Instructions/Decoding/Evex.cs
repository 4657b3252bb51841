// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// Recognises EVEX encodings (volume 2, EVEX prefix) with their length. They are not executable, so nothing more is
/// decoded: neither the tables of AVX-512 nor its rules on masks, rounding and broadcast.
/// </summary>
internal static class Evex
{
    /// <summary>Decodes from the first payload byte on, behind 62.</summary>
    internal static DecodeStatus Decode(ReadOnlySpan<byte> bytes, int at, CodeSize codeSize, in Decoder.State state, out Instruction instruction)
    {
        instruction = default;
        bool is64 = codeSize == CodeSize.Bits64;
        const Prefixes Forbidden = Prefixes.OperandSize | Prefixes.Lock | Prefixes.Rep | Prefixes.Repne | Prefixes.Rex;
        if ((state.Flags & Forbidden) != 0)
        {
            return DecodeStatus.Invalid;
        }

        // Three bytes of payload, the opcode, and ModRM, which every EVEX instruction has.
        if (bytes.Length < at + 5 || at + 5 > Decoder.MaximumLength)
        {
            return Decoder.Short(at + 5, out instruction);
        }

        int map = bytes[at] & 7;
        bool reservedClear = (bytes[at] & 8) == 0 && (bytes[at + 1] & 4) != 0;
        if (!reservedClear || map is 0 or 4 or 7)
        {
            return DecodeStatus.Invalid;
        }

        byte opcode = bytes[at + 3];
        byte modRm = bytes[at + 4];
        at += 5;
        bool addressPrefix = (state.Flags & Prefixes.AddressSize) != 0;
        bool address16 = codeSize switch
        {
            CodeSize.Bits16 => !addressPrefix,
            CodeSize.Bits32 => addressPrefix,
            _ => false,
        };
        int mod = modRm >> 6;
        int rm = modRm & 7;
        if (mod != 3)
        {
            if (address16)
            {
                at += mod == 0 ? rm == 6 ? 2 : 0 : mod;
            }
            else
            {
                int displacementBase = rm;
                if (rm == 4)
                {
                    if (at >= Math.Min(bytes.Length, Decoder.MaximumLength))
                    {
                        return Decoder.Short(at + 1, out instruction);
                    }

                    displacementBase = bytes[at++] & 7;
                }

                at += mod == 0 ? displacementBase == 5 ? 4 : 0 : mod * mod;
            }
        }

        if (HasImmediate(map, opcode))
        {
            at++;
        }

        if (at > Math.Min(bytes.Length, Decoder.MaximumLength))
        {
            return Decoder.Short(at, out instruction);
        }

        Prefixes flags = state.Flags | (mod != 3 ? Prefixes.Memory : Prefixes.None);
        uint addressLog2 = address16 ? 1u : is64 && !addressPrefix ? 3u : 2u;
        instruction = new(
            OpcodeCell.Pack(Operation.Evex, Form.None, Traits.None),
            0,
            (ulong)at << 32 | (ulong)opcode << 40,
            Instruction.NoRegister | (ulong)flags << 32 | (ulong)(addressLog2 << 2 | (uint)codeSize << 4) << 48 | (ulong)map << 56);
        return DecodeStatus.Decoded;
    }

    private static bool HasImmediate(int map, byte opcode)
        => map == 3 || map == 1 && opcode is >= 0x70 and <= 0x73 or 0xC2 or >= 0xC4 and <= 0xC6 && map == 1;
}
