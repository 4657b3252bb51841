// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>MMX, SSE and AVX data moves and bitwise logic.</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong Cr0Em = 4;
    private const ulong Cr0Ts = 8;
    private const ulong Cr4OsFxsr = 1 << 9;

    /// <summary>Whether vector state may be touched (volume 2, exception classes of SIMD instructions).</summary>
    private static bool IsVectorUsable(CpuState s, in Instruction i)
    {
        if (i.IsVex)
        {
            if (!s.Has(CpuFeatures.Avx) || !s.IsProtected || s.IsVirtual8086 || (s.Cr4 & Cr4OsXsave) == 0 || (s.Xcr0 & 6) != 6)
            {
                return Undefined(s);
            }
        }
        else if ((s.Cr0 & Cr0Em) != 0 || (s.Cr4 & Cr4OsFxsr) == 0)
        {
            return Undefined(s);
        }

        return (s.Cr0 & Cr0Ts) == 0 || Fault(s, Vector.DeviceNotAvailable);
    }

    /// <summary>MMX needs no CR4.OSFXSR, reports pending x87 errors, and takes over the x87 registers with TOP at 0.</summary>
    private static bool BeginMmx(CpuState s)
    {
        if ((s.Cr0 & Cr0Em) != 0)
        {
            return Undefined(s);
        }

        if ((s.Cr0 & Cr0Ts) != 0)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        return (s.Extended.Status & 0x80) == 0 || Fault(s, Vector.MathFault);
    }

    /// <summary>The image holds ST(0) first, MMX counts physical registers: with TOP at 0 they agree.</summary>
    private static void EnterMmx(CpuState s)
    {
        ExtendedState x = s.Extended;
        int top = x.Status >> 11 & 7;
        if (top != 0)
        {
            Span<byte> registers = x.Image.Slice(ExtendedState.St0, 128);
            Span<byte> copy = stackalloc byte[128];
            registers.CopyTo(copy);
            for (int n = 0; n < 8; n++)
            {
                copy.Slice(n * 16, 16).CopyTo(registers[((n + top & 7) * 16)..]);
            }
        }

        x.Status = (ushort)(x.Status & ~0x3800);
        x.AbridgedTags = 0xFF;
    }

    private static void SetMmx(CpuState s, int register, ulong value)
    {
        EnterMmx(s);
        Span<byte> slot = s.Extended.Image.Slice(ExtendedState.St0 + (register & 7) * 16, 16);
        MemoryMarshal.Write(slot, in value);

        // A write through MMX leaves ones in sign and exponent (volume 1, section 9.6.2).
        slot[8] = slot[9] = 0xFF;
    }

    private static ulong GetMmx(CpuState s, int register)
    {
        int top = s.Extended.Status >> 11 & 7;
        return MemoryMarshal.Read<ulong>(s.Extended.Mmx(register - top));
    }

    private static Vector128<byte> GetXmm(CpuState s, int register) => Vector128.Create<byte>(s.Extended.Xmm(register));

    private static Vector256<byte> GetYmm(CpuState s, int register)
        => Vector256.Create(GetXmm(s, register), Vector128.Create<byte>(s.Extended.YmmUpper(register)));

    private static void SetXmm(CpuState s, in Instruction i, int register, Vector128<byte> value)
    {
        value.CopyTo(s.Extended.Xmm(register));
        if (i.IsVex)
        {
            s.Extended.YmmUpper(register).Clear();
            ClearZmm(s, register);
        }
    }

    private static void SetYmm(CpuState s, int register, Vector256<byte> value)
    {
        value.GetLower().CopyTo(s.Extended.Xmm(register));
        value.GetUpper().CopyTo(s.Extended.YmmUpper(register));
        ClearZmm(s, register);
    }

    private static void ClearZmm(CpuState s, int register)
    {
        if ((s.Xcr0 & 0x40) != 0)
        {
            s.Extended.Image.Slice(ExtendedState.ZmmHigh + register * 32, 32).Clear();
        }
    }

    /// <summary>
    /// The address of a vector operand; aligned forms raise #GP(0) otherwise. What need not be aligned may raise #AC: AMD's processors
    /// check it against 16 bytes (AMD, volume 4, MOVDQU and VMOVDQU), Intel's do not (volume 3, exception and interrupt reference).
    /// </summary>
    private static bool VectorAddress(CpuState s, in Instruction i, int size, bool aligned, bool write, out ulong linear)
        => AddressUnaligned(s, in i, size, write, out linear)
            && (aligned ? (linear & (uint)(size - 1)) == 0 || GeneralProtection(s) : !s.IsAmd || IsAligned(s, linear, 16));

    private static bool ReadWide(ref TCpu cpu, CpuState s, in Instruction i, bool aligned, out Vector256<byte> value)
    {
        value = default;
        int size = i.Is256 ? 32 : 16;
        if (!i.HasMemoryOperand)
        {
            value = i.Is256 ? GetYmm(s, i.Rm) : Vector256.Create(GetXmm(s, i.Rm), default);
            return true;
        }

        return VectorAddress(s, in i, size, aligned, write: false, out ulong linear)
            && ReadBytes(ref cpu, s, linear, MemoryMarshal.AsBytes(new Span<Vector256<byte>>(ref value))[..size]);
    }

    /// <summary>AND, ANDN, OR, XOR of whole registers, under all of their names.</summary>
    private static bool Logic(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (i.Pattern == Pattern.PQ)
        {
            ulong operand;
            if (!BeginMmx(s))
            {
                return false;
            }

            if (!i.HasMemoryOperand)
            {
                operand = GetMmx(s, i.Rm);
            }
            else if (!Address(s, in i, 8, write: false, out ulong linear) || !ReadLinear(ref cpu, s, linear, out operand))
            {
                return false;
            }

            ulong first = GetMmx(s, i.Reg);
            SetMmx(s, i.Reg, Combine(i.Opcode, Vector128.CreateScalar(first).AsByte(), Vector128.CreateScalar(operand).AsByte()).AsUInt64().ToScalar());
            return true;
        }

        bool isInteger = (i.Opcode & 0x80) != 0;
        if (i.Is256 && isInteger && !s.Has(CpuFeatures.Avx2))
        {
            return Undefined(s);
        }

        // Legacy forms need aligned memory unless MXCSR.MM is set, VEX forms do not (volume 1, section 14.9; AMD, volume 1, MXCSR register).
        bool aligned = !i.IsVex && (s.Extended.MxcsrValue & ExtendedState.MisalignedMask) == 0;
        if (!IsVectorUsable(s, in i) || !ReadWide(ref cpu, s, in i, aligned, out Vector256<byte> right))
        {
            return false;
        }

        int source = i.IsVex ? i.Vvvv : i.Reg;
        Vector256<byte> left = i.Is256 ? GetYmm(s, source) : Vector256.Create(GetXmm(s, source), default);
        Vector256<byte> result = Vector256.Create(
            Combine(i.Opcode, left.GetLower(), right.GetLower()), Combine(i.Opcode, left.GetUpper(), right.GetUpper()));
        SetWide(s, in i, i.Reg, result);
        return true;
    }

    private static Vector128<byte> Combine(int opcode, Vector128<byte> left, Vector128<byte> right) => opcode switch
    {
        0x54 or 0xDB => left & right,
        0x55 or 0xDF => ~left & right,
        0x56 or 0xEB => left | right,
        _ => left ^ right,
    };

    /// <summary>MOVMSKPS, MOVMSKPD, PMOVMSKB: the sign bits of all elements.</summary>
    private static bool MoveMask(CpuState s, in Instruction i)
    {
        if (i.Pattern == Pattern.GQ)
        {
            if (!BeginMmx(s))
            {
                return false;
            }

            ulong bytes = GetMmx(s, i.Rm);
            EnterMmx(s);
            s.General[i.Reg] = Vector128.CreateScalar(bytes).AsByte().ExtractMostSignificantBits();
            return true;
        }

        bool isBytes = i.Operation is Operation.Pmovmskb or Operation.Vpmovmskb;
        if (i.Is256 && isBytes && !s.Has(CpuFeatures.Avx2))
        {
            return Undefined(s);
        }

        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        Vector256<byte> value = i.Is256 ? GetYmm(s, i.Rm) : Vector256.Create(GetXmm(s, i.Rm), default);
        s.General[i.Reg] = i.Operation switch
        {
            Operation.Pmovmskb or Operation.Vpmovmskb => value.ExtractMostSignificantBits(),
            Operation.Movmskps or Operation.Vmovmskps => value.AsUInt32().ExtractMostSignificantBits(),
            _ => value.AsUInt64().ExtractMostSignificantBits(),
        };
        return true;
    }

    /// <summary>VZEROUPPER and VZEROALL touch the first 8 registers outside 64-bit mode, all 16 in it.</summary>
    private static bool ZeroVectors(CpuState s, in Instruction i)
    {
        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        int count = s.CodeSize == CodeSize.Bits64 ? 16 : 8;
        for (int register = 0; register < count; register++)
        {
            if (i.Operation == Operation.Vzeroall)
            {
                s.Extended.Xmm(register).Clear();
            }

            s.Extended.YmmUpper(register).Clear();
            ClearZmm(s, register);
        }

        return true;
    }
}
