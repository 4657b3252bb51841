// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Flag instructions, HLT, CPUID, time, random numbers, cache and TLB control, XCR0 and PKRU.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool FlagOperation(CpuState s, in Instruction i)
    {
        switch (i.Operation)
        {
            case Operation.Clc:
                s.Rflags &= ~FlagBits.Carry;
                return true;
            case Operation.Stc:
                s.Rflags |= FlagBits.Carry;
                return true;
            case Operation.Cmc:
                s.Rflags ^= FlagBits.Carry;
                return true;
            case Operation.Cld:
                s.Rflags &= ~FlagBits.Direction;
                return true;
            case Operation.Std:
                s.Rflags |= FlagBits.Direction;
                return true;
            case Operation.Lahf:
                SetSized(s, Rax, s.General[Rax] & 0xFF | (s.Rflags & 0xD5 | 2) << 8, 2);
                return true;
            default:
                SetFlags(s, FlagBits.Status & ~FlagBits.Overflow, s.General[Rax] >> 8);
                return true;
        }
    }

    /// <summary>CLI and STI (volume 2, their operation tables): by IOPL, or VIF with CR4.VME in virtual-8086 mode and CR4.PVI at CPL 3.</summary>
    private static bool InterruptFlag(CpuState s, in Instruction i)
    {
        bool enables = i.Operation == Operation.Sti;
        int privilege = (int)(s.Rflags >> 12) & 3;
        bool virtual8086 = s.IsVirtual8086;
        int cpl = virtual8086 ? 3 : s.Cpl;
        if (s.IsProtected && cpl > privilege)
        {
            bool hasVirtual = virtual8086 ? (s.Cr4 & 1) != 0 : (s.Cr4 & 2) != 0 && cpl == 3;
            if (!hasVirtual || enables && (s.Rflags & FlagBits.VirtualInterruptPending) != 0)
            {
                return GeneralProtection(s);
            }

            s.Rflags = enables ? s.Rflags | FlagBits.VirtualInterrupt : s.Rflags & ~FlagBits.VirtualInterrupt;
            return true;
        }

        if (enables && (s.Rflags & FlagBits.Interrupt) == 0)
        {
            s.NextShadow = InterruptShadow.Sti;
        }

        s.Rflags = enables ? s.Rflags | FlagBits.Interrupt : s.Rflags & ~FlagBits.Interrupt;
        return true;
    }

    private static bool AccessControl(CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Smap) || s.IsProtected && (s.Cpl != 0 || s.IsVirtual8086))
        {
            return Undefined(s);
        }

        s.Rflags = i.Operation == Operation.Stac ? s.Rflags | FlagBits.AlignmentCheck : s.Rflags & ~FlagBits.AlignmentCheck;
        return true;
    }

    private static bool Halt(CpuState s)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        s.Halted = true;
        return true;
    }

    /// <summary>MONITOR checks its address like a byte read; MWAIT returns at once, as its page permits.</summary>
    private static bool MonitorWait(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Monitor) || s.IsProtected && (s.Cpl != 0 || s.IsVirtual8086))
        {
            return Undefined(s);
        }

        if (i.Operation == Operation.Mwait)
        {
            return (s.General[Rcx] & Mask(s.CodeSize == CodeSize.Bits64 ? 8 : 4)) <= 1 || GeneralProtection(s);
        }

        if ((uint)s.General[Rcx] != 0)
        {
            return GeneralProtection(s);
        }

        return Linear(s, s.CodeSize, i.Segment, s.General[Rax] & Mask(i.AddressSize), 1, write: false, out ulong linear)
            && ReadLinear(ref cpu, s, linear, out byte _);
    }

    private static bool Identify(ref TCpu cpu, CpuState s)
    {
        CpuidResult result = cpu.Cpuid((uint)s.General[Rax], (uint)s.General[Rcx]);
        s.General[Rax] = result.Eax;
        s.General[Rbx] = result.Ebx;
        s.General[Rcx] = result.Ecx;
        s.General[Rdx] = result.Edx;
        return true;
    }

    private static bool ReadTimeStamp(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (i.Operation == Operation.Rdtscp && !s.Has(CpuFeatures.Rdtscp))
        {
            return Undefined(s);
        }

        // CR4.TSD reserves it to CPL 0.
        if ((s.Cr4 & 4) != 0 && !IsKernel(s))
        {
            return false;
        }

        if (!cpu.TryReadTsc(out ulong now))
        {
            s.Outcome = new(ExecutionStatus.Refused);
            return false;
        }

        s.General[Rax] = (uint)now;
        s.General[Rdx] = now >> 32;
        if (i.Operation == Operation.Rdtscp)
        {
            s.General[Rcx] = s.TscAux;
        }

        return true;
    }

    private static bool ReadPerformanceCounter(ref TCpu cpu, CpuState s)
    {
        // CR4.PCE opens it to all levels.
        if ((s.Cr4 & 1 << 8) == 0 && !IsKernel(s))
        {
            return false;
        }

        if (!cpu.TryReadPerformanceCounter((uint)s.General[Rcx], out ulong value))
        {
            return GeneralProtection(s);
        }

        s.General[Rax] = (uint)value;
        s.General[Rdx] = value >> 32;
        return true;
    }

    private static bool ReadProcessorId(CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Rdpid))
        {
            return Undefined(s);
        }

        s.General[i.Rm] = s.TscAux;
        return true;
    }

    private static bool Random(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(i.Operation == Operation.Rdrand ? CpuFeatures.Rdrand : CpuFeatures.Rdseed))
        {
            return Undefined(s);
        }

        bool available = cpu.TryGetRandom(out ulong value);
        SetSized(s, i.Rm, available ? value : 0, i.OperandSize);
        SetStatus(s, available ? FlagBits.Carry : 0);
        return true;
    }

    /// <summary>INVLPG checks neither the segment nor the address (volume 2, INVLPG).</summary>
    private static bool InvalidatePage(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        if (TryGetOperandAddress(s, in i, out ulong linear))
        {
            s.Translations.DropPage(linear);
        }

        cpu.TranslationsChanged();
        return true;
    }

    private static bool InvalidatePcid(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Invpcid))
        {
            return Undefined(s);
        }

        if (!IsKernel(s) || !AddressUnaligned(s, in i, 16, write: false, out ulong linear)
            || !ReadLinear(ref cpu, s, linear, out ulong pcid) || !ReadLinear(ref cpu, s, linear + 8, out ulong address))
        {
            return false;
        }

        ulong type = s.General[i.Reg] & Mask(i.OperandSize);
        bool needsPcid = type is 0 or 1;
        if (type > 3 || pcid >> 12 != 0
            || needsPcid && (s.Cr4 & Cr4Pcide) == 0 && pcid != 0 || type == 0 && !IsCanonical(s, address))
        {
            return GeneralProtection(s);
        }

        switch (type)
        {
            case 0:
                s.Translations.DropPage(address);
                break;
            case 1:
                s.Translations.DropSpace(Pcid(s), (ushort)pcid);
                break;
            case 2:
                s.FlushTranslations();
                break;
            default:
                s.Translations.DropSpaces();
                break;
        }

        cpu.TranslationsChanged();
        return true;
    }

    /// <summary>The cache is coherent with everything that an emulated CPU can meet, so only the access is checked.</summary>
    private static bool FlushLine(ref TCpu cpu, CpuState s, in Instruction i)
    {
        CpuFeatures needed = i.Operation switch
        {
            Operation.Clflushopt => CpuFeatures.Clflushopt,
            Operation.Clwb => CpuFeatures.Clwb,
            _ => CpuFeatures.None,
        };
        if (!s.Has(needed))
        {
            return Undefined(s);
        }

        return AddressUnaligned(s, in i, 1, write: false, out ulong linear) && Translate(ref cpu, s, linear, TranslationCache.Read, out _);
    }

    private static bool ExtendedControl(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Xsave) || (s.Cr4 & Cr4OsXsave) == 0)
        {
            return Undefined(s);
        }

        uint index = (uint)s.General[Rcx];
        if (i.Operation == Operation.Xgetbv)
        {
            if (index > 1 || index == 1 && !s.Has(CpuFeatures.Xgetbv1))
            {
                return GeneralProtection(s);
            }

            // Register 1 is XCR0 and XINUSE, what XSAVEOPT and XSAVEC would save (volume 1, sections 13.2 and 13.6).
            ulong bits = index == 0 ? s.Xcr0 : s.Xcr0 & InUse(ref cpu, s, s.Xcr0);
            s.General[Rax] = (uint)bits;
            s.General[Rdx] = bits >> 32;
            return true;
        }

        if (!IsKernel(s))
        {
            return false;
        }

        ulong value = (uint)s.General[Rax] | s.General[Rdx] << 32;
        CpuidResult leaf = cpu.Cpuid(0xD, 0);
        ulong supported = leaf.Eax | (ulong)leaf.Edx << 32;
        bool avx = (value & 4) != 0;
        ulong avx512 = value & 0xE0;

        // Volume 3, enabling the XSAVE feature set: x87 always, AVX with SSE, the three parts of AVX-512 together and with AVX.
        if (index != 0 || (value & 1) == 0 || avx && (value & 2) == 0 || avx512 != 0 && (avx512 != 0xE0 || !avx)
            || (value & 0x18) is not (0 or 0x18) || (value & ~supported) != 0)
        {
            return GeneralProtection(s);
        }

        s.Xcr0 = value;
        return true;
    }

    private static bool ProtectionKeyRights(CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Pku) || (s.Cr4 & Cr4Pke) == 0)
        {
            return Undefined(s);
        }

        if ((uint)s.General[Rcx] != 0 || i.Operation == Operation.Wrpkru && (uint)s.General[Rdx] != 0)
        {
            return GeneralProtection(s);
        }

        if (i.Operation == Operation.Rdpkru)
        {
            s.General[Rax] = s.Pkru;
            s.General[Rdx] = 0;
            return true;
        }

        s.Pkru = (uint)s.General[Rax];
        s.FlushTranslations();
        return true;
    }
}
