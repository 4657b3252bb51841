// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Decoding;

/// <content>What prefixes have said.</content>
public static partial class Decoder
{
    /// <summary>What prefixes leave behind.</summary>
    internal struct State
    {
        internal Prefixes Flags;
        internal uint Pp;
        internal uint Segment;
        internal uint R;
        internal uint X;
        internal uint B;
        internal uint Vvvv;
        internal int VexMap;

        /// <summary>Whether vvvv names a register as it was encoded.</summary>
        internal bool VvvvGiven;

        internal void Prefix(uint value, bool is64)
        {
            if (is64 && (value & 0xF0) == 0x40)
            {
                // A REX prefix counts only right before the opcode: any later prefix clears it.
                Flags = Flags & ~Prefixes.W | Prefixes.Rex | ((value & 8) != 0 ? Prefixes.W : Prefixes.None);
                R = (value & 4) << 1;
                X = (value & 2) << 2;
                B = (value & 1) << 3;
                return;
            }

            Flags &= ~(Prefixes.Rex | Prefixes.W);
            R = X = B = 0;
            switch (value)
            {
                case 0x66:
                    Flags |= Prefixes.OperandSize;
                    Pp = Pp == 0 ? 1 : Pp;
                    break;
                case 0x67:
                    Flags |= Prefixes.AddressSize;
                    break;
                case 0xF0:
                    Flags |= Prefixes.Lock;
                    break;
                case 0xF2:
                    Flags = Flags & ~Prefixes.Rep | Prefixes.Repne;
                    Pp = 3;
                    break;
                case 0xF3:
                    Flags = Flags & ~Prefixes.Repne | Prefixes.Rep;
                    Pp = 2;
                    break;
                case 0x64 or 0x65:
                    Segment = value - 0x60;
                    Flags |= Prefixes.Segment;
                    break;
                default:
                    // In 64-bit mode these four are accepted and mean nothing (volume 2, instruction prefixes).
                    if (!is64)
                    {
                        Segment = value >> 3 & 3;
                        Flags |= Prefixes.Segment;
                    }

                    break;
            }
        }

        /// <summary>Reads a VEX prefix up to the opcode (volume 2, VEX prefix); null and a status if there is none.</summary>
        internal OpcodeMap? Vex(ref byte code, ref int at, int limit, bool threeBytes, bool is64, out DecodeStatus status)
        {
            if ((Flags & (Prefixes.OperandSize | Prefixes.Lock | Prefixes.Rep | Prefixes.Repne | Prefixes.Rex)) != 0)
            {
                status = DecodeStatus.Invalid;
                return null;
            }

            int payload = threeBytes ? 2 : 1;
            if (at + payload >= limit)
            {
                status = at + payload >= MaximumLength ? DecodeStatus.TooLong : DecodeStatus.NeedMoreBytes;
                return null;
            }

            uint first = Unsafe.Add(ref code, at);
            uint last = Unsafe.Add(ref code, at + payload - 1);
            at += payload;
            VexMap = threeBytes ? (int)(first & 0x1F) : 1;
            Pp = last & 3;
            Vvvv = ~(last >> 3) & (is64 ? 15u : 7u);
            VvvvGiven = (last & 0x78) != 0x78;
            Flags |= Prefixes.Vex | ((last & 4) != 0 ? Prefixes.L : Prefixes.None);
            if (threeBytes && (last & 0x80) != 0)
            {
                Flags |= Prefixes.W;
            }

            if (is64)
            {
                R = (~first & 0x80) >> 4;
                X = threeBytes ? (~first & 0x40) >> 3 : 0;
                B = threeBytes ? (~first & 0x20) >> 2 : 0;
            }

            status = DecodeStatus.Invalid;
            return VexMap switch
            {
                1 => OpcodeTables.Vex0F,
                2 => OpcodeTables.Vex0F38,
                3 => OpcodeTables.Vex0F3A,
                _ => null,
            };
        }

        internal readonly bool IsPermitted(ulong cell, bool is64, uint addressLog2, uint reg, uint index)
        {
            if ((Flags & (Prefixes.Lock | Prefixes.Vex)) == 0 && (cell & (ulong)Traits.Checked) == 0)
            {
                return true;
            }

            Traits traits = (Traits)cell & ~(Traits)0x1FFFF;
            bool memory = (Flags & Prefixes.Memory) != 0;
            if ((Flags & Prefixes.Lock) != 0 && !(memory && (traits & Traits.Lock) != 0))
            {
                return false;
            }

            if ((Flags & Prefixes.Vex) != 0)
            {
                // vvvv must be 1111b where it names nothing (volume 2, VEX prefix), though outside 64-bit mode its top bit names nothing anywhere.
                if ((cell & OpcodeCell.Vvvv) == 0 && VvvvGiven)
                {
                    return false;
                }

                if ((Pattern)(cell & OpcodeCell.PatternMask) >= Pattern.KKW && !IsMaskRegister(cell, reg))
                {
                    return false;
                }
            }

            if ((traits & Traits.No64) != 0 && is64
                || (traits & Traits.Only64) != 0 && !is64
                || (traits & Traits.Memory) != 0 && !memory
                || (traits & Traits.Register) != 0 && memory
                || (traits & Traits.NoOperandSize) != 0 && (Flags & Prefixes.OperandSize) != 0
                || (traits & Traits.VectorSib) != 0 && (!memory || addressLog2 == 1 || reg == index || reg == Vvvv || index == Vvvv))
            {
                return false;
            }

            return (traits & Traits.ModIgnored) == 0 || IsSystemRegister(cell, reg);
        }

        /// <summary>There are eight mask registers; R and vvvv may not name others, B is ignored.</summary>
        private readonly bool IsMaskRegister(ulong cell, uint reg)
        {
            Pattern pattern = (Pattern)(cell & OpcodeCell.PatternMask);
            return pattern == Pattern.GKW || reg < 8 && (pattern != Pattern.KKHKW || Vvvv < 8);
        }

        /// <summary>CR0, CR2, CR3, CR4 and CR8 exist, and eight debug registers (volume 2, MOV).</summary>
        private static bool IsSystemRegister(ulong cell, uint reg)
        {
            bool control = (Pattern)(cell & OpcodeCell.PatternMask) is Pattern.EC or Pattern.CE;
            return control ? reg is 0 or 2 or 3 or 4 or 8 : reg < 8;
        }
    }
}
