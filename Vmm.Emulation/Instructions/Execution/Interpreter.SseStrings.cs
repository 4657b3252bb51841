// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>PCMPESTRI and its kind (volume 2, imm8 control byte of PCMPESTRI and its kind).</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool CompareStrings(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadNarrow(ref cpu, s, in i, 16, out Vector256<byte> right))
        {
            return false;
        }

        Vector128<byte> first = GetXmm(s, i.Reg);
        Vector128<byte> second = right.GetLower();
        TextComparison comparison = new((int)i.Immediate);
        bool isExplicit = v.Canonical is Operation.Pcmpestri or Operation.Pcmpestri64 or Operation.Pcmpestrm or Operation.Pcmpestrm64;
        bool isWide = v.Canonical is Operation.Pcmpestri64 or Operation.Pcmpestrm64 && s.CodeSize == CodeSize.Bits64;
        int length1 = isExplicit ? comparison.Length(isWide ? (long)s.General[Rax] : (int)s.General[Rax]) : comparison.Length(first);
        int length2 = isExplicit ? comparison.Length(isWide ? (long)s.General[Rdx] : (int)s.General[Rdx]) : comparison.Length(second);
        uint result = comparison.Compare(first, second, length1, length2);
        if (v.Canonical is Operation.Pcmpestri or Operation.Pcmpestri64 or Operation.Pcmpistri)
        {
            bool fromTop = (i.Immediate & 0x40) != 0;
            s.General[Rcx] = result == 0 ? (uint)comparison.Count
                : (uint)(fromTop ? 31 - BitOperations.LeadingZeroCount(result) : BitOperations.TrailingZeroCount(result));
        }
        else
        {
            SetXmm(s, in i, 0, comparison.Mask(result, (i.Immediate & 0x40) != 0));
        }

        SetStatus(s, (result != 0 ? FlagBits.Carry : 0) | (length2 < comparison.Count ? FlagBits.Zero : 0)
            | (length1 < comparison.Count ? FlagBits.Sign : 0) | ((result & 1) != 0 ? FlagBits.Overflow : 0));
        return true;
    }
}
