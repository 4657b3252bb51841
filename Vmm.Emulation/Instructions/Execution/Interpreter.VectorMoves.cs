// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Moves of MMX, SSE and AVX registers.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Moves of whole registers: load, store or copy of 16 or 32 bytes.</summary>
    private static bool MoveWide(ref TCpu cpu, CpuState s, in Instruction i, bool aligned)
    {
        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        bool stores = i.Pattern == Pattern.WV;
        if (!stores)
        {
            if (!ReadWide(ref cpu, s, in i, aligned, out Vector256<byte> loaded))
            {
                return false;
            }

            SetWide(s, in i, i.Reg, loaded);
            return true;
        }

        Vector256<byte> value = i.Is256 ? GetYmm(s, i.Reg) : Vector256.Create(GetXmm(s, i.Reg), default);
        if (!i.HasMemoryOperand)
        {
            SetWide(s, in i, i.Rm, value);
            return true;
        }

        int size = i.Is256 ? 32 : 16;
        return VectorAddress(s, in i, size, aligned, write: true, out ulong linear)
            && WriteBytes(ref cpu, s, linear, MemoryMarshal.AsBytes(new ReadOnlySpan<Vector256<byte>>(in value))[..size]);
    }

    private static void SetWide(CpuState s, in Instruction i, int register, Vector256<byte> value)
    {
        if (i.Is256)
        {
            SetYmm(s, register, value);
        }
        else
        {
            SetXmm(s, in i, register, value.GetLower());
        }
    }

    /// <summary>MOVSS and MOVSD: a load clears the rest of the register, a copy keeps the destination's or, in VEX forms, takes vvvv's.</summary>
    private static bool MoveScalar(ref TCpu cpu, CpuState s, in Instruction i, int size)
    {
        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        bool stores = i.Pattern is Pattern.WV or Pattern.WHV;
        int destination = stores ? i.Rm : i.Reg;
        int source = stores ? i.Reg : i.Rm;
        if (i.HasMemoryOperand)
        {
            if (i.IsVex && i.Vvvv != 0)
            {
                return Undefined(s);
            }

            if (!Address(s, in i, size, stores, out ulong linear))
            {
                return false;
            }

            if (stores)
            {
                return WriteSized(ref cpu, s, linear, size, GetXmm(s, i.Reg).AsUInt64().ToScalar());
            }

            if (!ReadSized(ref cpu, s, linear, size, out ulong loaded))
            {
                return false;
            }

            SetXmm(s, in i, i.Reg, Vector128.CreateScalar(loaded).AsByte());
            return true;
        }

        Vector128<byte> rest = GetXmm(s, i.IsVex ? i.Vvvv : destination);
        Vector128<byte> merged = size == 4
            ? rest.AsUInt32().WithElement(0, GetXmm(s, source).AsUInt32().ToScalar()).AsByte()
            : rest.AsUInt64().WithElement(0, GetXmm(s, source).AsUInt64().ToScalar()).AsByte();
        SetXmm(s, in i, destination, merged);
        return true;
    }

    /// <summary>MOVLPS, MOVHPS and their kind: eight bytes between memory and one half of a register, or between halves.</summary>
    private static bool MoveHalf(ref TCpu cpu, CpuState s, in Instruction i, bool high)
    {
        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        int half = high ? 1 : 0;
        if (i.Pattern == Pattern.WV)
        {
            return Address(s, in i, 8, write: true, out ulong at) && WriteLinear(ref cpu, s, at, GetXmm(s, i.Reg).AsUInt64().GetElement(half));
        }

        ulong value;
        if (i.HasMemoryOperand)
        {
            if (!Address(s, in i, 8, write: false, out ulong linear) || !ReadLinear(ref cpu, s, linear, out value))
            {
                return false;
            }
        }
        else
        {
            // MOVHLPS takes the source's high half, MOVLHPS its low half.
            value = GetXmm(s, i.Rm).AsUInt64().GetElement(1 - half);
        }

        Vector128<byte> rest = GetXmm(s, i.IsVex ? i.Vvvv : i.Reg);
        SetXmm(s, in i, i.Reg, rest.AsUInt64().WithElement(half, value).AsByte());
        return true;
    }

    /// <summary>MOVD and MOVQ between a general register or memory and a vector or MMX register.</summary>
    private static bool MoveGeneral(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool isMmx = i.Pattern is Pattern.PE or Pattern.EP;
        if (isMmx ? !BeginMmx(s) : !IsVectorUsable(s, in i))
        {
            return false;
        }

        int size = i.IsWide && s.CodeSize == CodeSize.Bits64 ? 8 : 4;
        if (i.Pattern is Pattern.EV or Pattern.EP)
        {
            ulong stored = isMmx ? GetMmx(s, i.Reg) : GetXmm(s, i.Reg).AsUInt64().ToScalar();
            if (!WriteESized(ref cpu, s, in i, size, stored))
            {
                return false;
            }

            if (isMmx)
            {
                EnterMmx(s);
            }

            return true;
        }

        if (!ReadESized(ref cpu, s, in i, size, out ulong value))
        {
            return false;
        }

        if (isMmx)
        {
            SetMmx(s, i.Reg, value);
        }
        else
        {
            SetXmm(s, in i, i.Reg, Vector128.CreateScalar(value).AsByte());
        }

        return true;
    }

    /// <summary>MOVQ among MMX registers, XMM registers and memory, MOVNTQ, MOVQ2DQ, MOVDQ2Q.</summary>
    private static bool MoveQuad(ref TCpu cpu, CpuState s, in Instruction i)
    {
        switch (i.Pattern)
        {
            case Pattern.PE or Pattern.EP or Pattern.VE or Pattern.EV:
                return MoveGeneral(ref cpu, s, in i);
            case Pattern.PQ or Pattern.QP or Pattern.VQ or Pattern.PW:
                return MoveMmx(ref cpu, s, in i);
            default:
                break;
        }

        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        if (i.Pattern == Pattern.WV)
        {
            ulong stored = GetXmm(s, i.Reg).AsUInt64().ToScalar();
            if (!i.HasMemoryOperand)
            {
                SetXmm(s, in i, i.Rm, Vector128.CreateScalar(stored).AsByte());
                return true;
            }

            return Address(s, in i, 8, write: true, out ulong at) && WriteLinear(ref cpu, s, at, stored);
        }

        ulong value;
        if (!i.HasMemoryOperand)
        {
            value = GetXmm(s, i.Rm).AsUInt64().ToScalar();
        }
        else if (!Address(s, in i, 8, write: false, out ulong linear) || !ReadLinear(ref cpu, s, linear, out value))
        {
            return false;
        }

        SetXmm(s, in i, i.Reg, Vector128.CreateScalar(value).AsByte());
        return true;
    }

    private static bool MoveMmx(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!BeginMmx(s) || i.Pattern is Pattern.VQ or Pattern.PW && !IsVectorUsable(s, in i))
        {
            return false;
        }

        ulong value;
        switch (i.Pattern)
        {
            case Pattern.QP:
                value = GetMmx(s, i.Reg);
                if (i.HasMemoryOperand)
                {
                    if (!Address(s, in i, 8, write: true, out ulong at) || !WriteLinear(ref cpu, s, at, value))
                    {
                        return false;
                    }

                    EnterMmx(s);
                    return true;
                }

                SetMmx(s, i.Rm, value);
                return true;
            case Pattern.VQ:
                value = GetMmx(s, i.Rm);
                EnterMmx(s);
                SetXmm(s, in i, i.Reg, Vector128.CreateScalar(value).AsByte());
                return true;
            case Pattern.PW:
                SetMmx(s, i.Reg, GetXmm(s, i.Rm).AsUInt64().ToScalar());
                return true;
            default:
                if (!i.HasMemoryOperand)
                {
                    value = GetMmx(s, i.Rm);
                }
                else if (!Address(s, in i, 8, write: false, out ulong linear) || !ReadLinear(ref cpu, s, linear, out value))
                {
                    return false;
                }

                SetMmx(s, i.Reg, value);
                return true;
        }
    }
}
