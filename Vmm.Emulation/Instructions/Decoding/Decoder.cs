// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// Decodes one x86 instruction from bytes. Pure: no memory access beside the span, no allocation, no state; any thread.
/// EVEX encodings are recognised with their length and refused by the executor; encodings that only AMD or VIA processors
/// ever had (3DNow!, XOP, FMA4, SVM, PadLock), those of AMX and those of the Xeon Phi are invalid.
/// </summary>
public static partial class Decoder
{
    /// <summary>The architectural limit on an instruction's length in bytes (volume 2, instruction length).</summary>
    public const int MaximumLength = 15;

    private const byte NoSegment = 0xFF;

    /// <summary>
    /// Decodes the instruction at the start of <paramref name="bytes"/>. Bytes behind the fifteenth are not looked at. Any
    /// content is permitted; <paramref name="instruction"/> is the default value unless the result is <see cref="DecodeStatus.Decoded"/>.
    /// </summary>
    public static DecodeStatus Decode(ReadOnlySpan<byte> bytes, CodeSize codeSize, out Instruction instruction)
    {
        // SAFETY: every read below is at an index less than `limit`, which is at most the span's length, or is checked as a
        // block against it.
        ref byte code = ref MemoryMarshal.GetReference(bytes);
        int limit = Math.Min(bytes.Length, MaximumLength);
        bool is64 = codeSize == CodeSize.Bits64;
        OpcodeMap map = is64 ? OpcodeTables.Long : OpcodeTables.Legacy;
        State state = default;
        state.Segment = NoSegment;
        uint opcode;
        ulong cell;
        int at = 0;
        while (true)
        {
            if (at >= limit)
            {
                return Short(at + 1, out instruction);
            }

            opcode = Unsafe.Add(ref code, at++);
            cell = map.Cells[opcode];
            if ((cell & (ulong)Traits.Prefix) == 0)
            {
                break;
            }

            state.Prefix(opcode, is64);
        }

        int mapNumber = 0;
        if ((cell & (ulong)Traits.Escape) != 0)
        {
            if (at >= limit)
            {
                return Short(at + 1, out instruction);
            }

            uint next = Unsafe.Add(ref code, at);
            if (opcode == 0x0F)
            {
                at++;
                opcode = next;
                map = OpcodeTables.Map0F;
                mapNumber = 1;
                if (opcode is 0x38 or 0x3A)
                {
                    if (at >= limit)
                    {
                        return Short(at + 1, out instruction);
                    }

                    map = opcode == 0x38 ? OpcodeTables.Map0F38 : OpcodeTables.Map0F3A;
                    mapNumber = opcode == 0x38 ? 2 : 3;
                    opcode = Unsafe.Add(ref code, at++);
                }
            }
            else if (is64 || next >= 0xC0)
            {
                if (opcode == 0x62)
                {
                    return Evex.Decode(bytes, at, codeSize, in state, out instruction);
                }

                OpcodeMap? vex = state.Vex(ref code, ref at, limit, opcode == 0xC4, is64, out DecodeStatus status);
                if (vex is null)
                {
                    instruction = default;
                    return status;
                }

                map = vex;
                mapNumber = state.VexMap;
                opcode = Unsafe.Add(ref code, at++);
            }
        }

        cell = map.Cells[state.Pp << 8 | opcode];
        uint modRm = 0;
        if ((cell & OpcodeCell.ModRm) != 0)
        {
            if (at >= limit)
            {
                return Short(at + 1, out instruction);
            }

            modRm = Unsafe.Add(ref code, at++);
        }

        while ((cell & (ulong)Traits.Selector) != 0)
        {
            cell = map.Children[Choose(cell, modRm, in state, is64)];
        }

        if (cell >> OpcodeCell.OperationShift == 0)
        {
            instruction = default;
            return DecodeStatus.Invalid;
        }

        uint addressLog2 = is64
            ? (state.Flags & Prefixes.AddressSize) != 0 ? 2u : 3u
            : codeSize == CodeSize.Bits32 ^ (state.Flags & Prefixes.AddressSize) != 0 ? 2u : 1u;
        uint reg = 0;
        uint rm = opcode & 7 | state.B;
        uint index = Instruction.NoRegister;
        uint scale = 0;
        int displacementLength = 0;
        if ((cell & OpcodeCell.ModRm) != 0)
        {
            reg = modRm >> 3 & 7 | state.R;
            if (modRm >= 0xC0 || (cell & (ulong)Traits.ModIgnored) != 0)
            {
                rm = modRm & 7 | state.B;
            }
            else
            {
                state.Flags |= Prefixes.Memory;
                if (addressLog2 == 1)
                {
                    displacementLength = Operand16(modRm, ref state, out rm, out index);
                }
                else
                {
                    uint info = OpcodeTables.ModRm32[(int)modRm];
                    displacementLength = (int)(info & OpcodeTables.DisplacementMask);
                    rm = modRm & 7;
                    bool hasBase = (info & OpcodeTables.NoBase) == 0;
                    if ((info & OpcodeTables.HasSib) != 0)
                    {
                        if (at >= limit)
                        {
                            return Short(at + 1, out instruction);
                        }

                        uint sib = Unsafe.Add(ref code, at++);
                        rm = sib & 7;
                        index = sib >> 3 & 7 | state.X;
                        scale = sib >> 6;
                        if (index == 4 && (cell & (ulong)Traits.VectorSib) == 0)
                        {
                            index = Instruction.NoRegister;
                            scale = 0;
                        }

                        // No base with mod 0 and base 5 (volume 2, 32-bit addressing forms with SIB); otherwise the stack's segment for RSP and RBP.
                        if (rm == 5 && modRm < 0x40)
                        {
                            displacementLength = 4;
                            hasBase = false;
                        }
                    }
                    else if ((cell & (ulong)Traits.VectorSib) != 0)
                    {
                        instruction = default;
                        return DecodeStatus.Invalid;
                    }

                    if (hasBase)
                    {
                        rm |= state.B;
                        if (rm is 4 or 5 && state.Segment == NoSegment)
                        {
                            state.Segment = 2;
                        }
                    }
                    else
                    {
                        rm = is64 && (modRm & 7) == 5 ? Instruction.RipRegister : (uint)Instruction.NoRegister;
                    }
                }
            }
        }

        if (!state.IsPermitted(cell, is64, addressLog2, reg, index))
        {
            instruction = default;
            return DecodeStatus.Invalid;
        }

        uint sizeIndex = (uint)(cell >> OpcodeCell.SizeShift & 15) << 4 | (uint)codeSize << 2 | (uint)(state.Flags & (Prefixes.W | Prefixes.OperandSize));
        uint sizeLog2 = OpcodeTables.Sizes[(int)sizeIndex];
        ImmediateKind kind = (ImmediateKind)(cell >> OpcodeCell.ImmediateShift & 15);
        uint immediateInfo = OpcodeTables.Immediates[(int)kind << 2 | (int)(kind == ImmediateKind.Offset ? addressLog2 : sizeLog2)];
        int immediateLength = (int)(immediateInfo & 15);
        int length = at + displacementLength + immediateLength;
        if (length > limit)
        {
            return Short(length, out instruction);
        }

        int displacement;
        ulong immediate;
        if (at + displacementLength + 8 <= bytes.Length && kind < ImmediateKind.FarPointer)
        {
            // Both fields in the middle of the window: read eight bytes and shift the rest away, without a branch on lengths.
            // A length of 0 shifts everything away, in two steps because a shift by 64 would shift nothing.
            int unused = 32 - displacementLength * 4;
            displacement = (int)(Unsafe.ReadUnaligned<long>(ref Unsafe.Add(ref code, at)) << unused << unused >> unused >> unused);
            unused = 32 - immediateLength * 4;
            ulong raw = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref code, at + displacementLength)) << unused << unused;
            immediate = (immediateInfo & OpcodeTables.IsSigned) != 0 ? (ulong)((long)raw >> unused >> unused) : raw >> unused >> unused;
        }
        else
        {
            displacement = Displacement(ref Unsafe.Add(ref code, at), displacementLength);
            immediate = immediateLength == 0 ? 0 : Immediate(ref Unsafe.Add(ref code, at + displacementLength), kind, immediateLength);
        }

        uint segment = state.Segment == NoSegment ? 3 : state.Segment;
        instruction = new(
            cell,
            immediate,
            (uint)displacement | (ulong)length << 32 | (ulong)opcode << 40 | (ulong)reg << 48 | (ulong)rm << 56,
            index | scale << 8 | segment << 16 | state.Vvvv << 24
                | (ulong)state.Flags << 32 | (ulong)(sizeLog2 | addressLog2 << 2 | (uint)codeSize << 4) << 48 | (ulong)mapNumber << 56);
        return DecodeStatus.Decoded;
    }

    internal static DecodeStatus Short(int needed, out Instruction instruction)
    {
        instruction = default;
        return needed > MaximumLength ? DecodeStatus.TooLong : DecodeStatus.NeedMoreBytes;
    }

    private static int Choose(ulong cell, uint modRm, in State state, bool is64)
    {
        int child = (SelectorKind)(cell >> OpcodeCell.SelectorKindShift & 0xFF) switch
        {
            SelectorKind.Group => (int)(modRm >> 3 & 7 | (modRm >= 0xC0 ? 8u : 0u)),
            SelectorKind.Rm => (int)(modRm & 7),
            SelectorKind.W => (state.Flags & Prefixes.W) != 0 ? 1 : 0,
            SelectorKind.W64 => is64 && (state.Flags & Prefixes.W) != 0 ? 1 : 0,
            SelectorKind.L => (state.Flags & Prefixes.L) != 0 ? 1 : 0,
            _ => state.B != 0 ? 1 : 0,
        };
        return (int)(cell >> OpcodeCell.SelectorIndexShift) + child;
    }

    /// <summary>The 16-bit forms (volume 2, 16-bit addressing forms).</summary>
    private static int Operand16(uint modRm, ref State state, out uint @base, out uint index)
    {
        const uint Bx = 3, Bp = 5, Si = 6, Di = 7;
        uint mod = modRm >> 6;
        uint rm = modRm & 7;
        index = rm < 4 ? (rm & 1) == 0 ? Si : Di : Instruction.NoRegister;
        @base = rm switch
        {
            0 or 1 or 7 => Bx,
            4 => Si,
            5 => Di,
            _ => Bp,
        };
        if (mod == 0 && rm == 6)
        {
            @base = Instruction.NoRegister;
            return 2;
        }

        if (@base == Bp && state.Segment == NoSegment)
        {
            state.Segment = 2;
        }

        return (int)mod;
    }

    private static int Displacement(ref byte at, int length) => length switch
    {
        0 => 0,
        1 => (sbyte)at,
        2 => Unsafe.ReadUnaligned<short>(ref at),
        _ => Unsafe.ReadUnaligned<int>(ref at),
    };

    private static ulong Immediate(ref byte at, ImmediateKind kind, int length)
    {
        switch (kind)
        {
            case ImmediateKind.SignedByte:
                return (ulong)(sbyte)at;
            case ImmediateKind.Byte:
                return at;
            case ImmediateKind.Word:
                return Unsafe.ReadUnaligned<ushort>(ref at);
            case ImmediateKind.Z:
                return length == 2 ? (ulong)Unsafe.ReadUnaligned<short>(ref at) : (ulong)Unsafe.ReadUnaligned<int>(ref at);
            case ImmediateKind.FarPointer:
                return length == 4
                    ? Unsafe.ReadUnaligned<ushort>(ref at) | (ulong)Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref at, 2)) << 32
                    : Unsafe.ReadUnaligned<uint>(ref at) | (ulong)Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref at, 4)) << 32;
            case ImmediateKind.WordByte:
                return Unsafe.ReadUnaligned<ushort>(ref at) | (ulong)Unsafe.Add(ref at, 2) << 16;
            default:
                return length switch
                {
                    2 => Unsafe.ReadUnaligned<ushort>(ref at),
                    4 => Unsafe.ReadUnaligned<uint>(ref at),
                    _ => Unsafe.ReadUnaligned<ulong>(ref at),
                };
        }
    }
}
