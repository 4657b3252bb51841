// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>RDMSR, WRMSR, the FS and GS bases, and the fast system calls.</summary>
internal static partial class Interpreter<TCpu>
{
    private const uint MsrSysenterCs = 0x174;
    private const uint MsrSysenterEsp = 0x175;
    private const uint MsrSysenterEip = 0x176;
    private const uint MsrXss = 0xDA0;
    private const uint MsrEfer = 0xC000_0080;
    private const uint MsrStar = 0xC000_0081;
    private const uint MsrLStar = 0xC000_0082;
    private const uint MsrCStar = 0xC000_0083;
    private const uint MsrSyscallMask = 0xC000_0084;
    private const uint MsrFsBase = 0xC000_0100;
    private const uint MsrGsBase = 0xC000_0101;
    private const uint MsrKernelGsBase = 0xC000_0102;
    private const uint MsrTscAux = 0xC000_0103;

    private static bool ReadMsr(ref TCpu cpu, CpuState s)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        uint index = (uint)s.General[Rcx];
        ulong value;
        switch (index)
        {
            case MsrSysenterCs:
                value = s.SysenterCs;
                break;
            case MsrSysenterEsp:
                value = s.SysenterEsp;
                break;
            case MsrSysenterEip:
                value = s.SysenterEip;
                break;
            case MsrXss when s.Has(CpuFeatures.Xsaves):
                value = s.Xss;
                break;
            case MsrEfer:
                value = s.Efer;
                break;
            case MsrStar:
                value = s.Star;
                break;
            case MsrLStar:
                value = s.LStar;
                break;
            case MsrCStar:
                value = s.CStar;
                break;
            case MsrSyscallMask:
                value = s.SyscallMask;
                break;
            case MsrFsBase:
                value = s.FsBase;
                break;
            case MsrGsBase:
                value = s.Segments[(int)SegmentName.Gs].Base;
                break;
            case MsrKernelGsBase:
                value = s.KernelGsBase;
                break;
            case MsrTscAux when s.Has(CpuFeatures.Rdtscp) || s.Has(CpuFeatures.Rdpid):
                value = s.TscAux;
                break;
            default:
                if (!Served(s, cpu.ReadMsr(index, out value)))
                {
                    return false;
                }

                break;
        }

        s.General[Rax] = (uint)value;
        s.General[Rdx] = value >> 32;
        return true;
    }

    private static bool WriteMsr(ref TCpu cpu, CpuState s)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        ulong value = (uint)s.General[Rax] | s.General[Rdx] << 32;
        uint index = (uint)s.General[Rcx];
        bool needsCanonical = index is MsrSysenterEsp or MsrSysenterEip or MsrLStar or MsrCStar or MsrFsBase or MsrGsBase or MsrKernelGsBase;
        if (needsCanonical && !IsCanonical(s, value))
        {
            return GeneralProtection(s);
        }

        switch (index)
        {
            case MsrSysenterCs:
                s.SysenterCs = (uint)value;
                return true;
            case MsrSysenterEsp:
                s.SysenterEsp = value;
                return true;
            case MsrSysenterEip:
                s.SysenterEip = value;
                return true;
            case MsrXss when s.Has(CpuFeatures.Xsaves):
                CpuidResult leaf = cpu.Cpuid(0xD, 1);
                if ((value & ~(leaf.Ecx | (ulong)leaf.Edx << 32)) != 0)
                {
                    return GeneralProtection(s);
                }

                s.Xss = value;
                return true;
            case MsrEfer:
                return WriteEfer(ref cpu, s, value);
            case MsrStar:
                s.Star = value;
                return true;
            case MsrLStar:
                s.LStar = value;
                return true;
            case MsrCStar:
                s.CStar = value;
                return true;
            case MsrSyscallMask:
                if (value >> 32 != 0)
                {
                    return GeneralProtection(s);
                }

                s.SyscallMask = value;
                return true;
            case MsrFsBase:
                s.Segments[(int)SegmentName.Fs].Base = value;
                return true;
            case MsrGsBase:
                s.Segments[(int)SegmentName.Gs].Base = value;
                return true;
            case MsrKernelGsBase:
                s.KernelGsBase = value;
                return true;
            case MsrTscAux when s.Has(CpuFeatures.Rdtscp) || s.Has(CpuFeatures.Rdpid):
                if (value >> 32 != 0)
                {
                    return GeneralProtection(s);
                }

                s.TscAux = (uint)value;
                return true;
            default:
                return Served(s, cpu.WriteMsr(index, value));
        }
    }

    /// <summary>LMA is the processor's; LME may not change while paging is on.</summary>
    private static bool WriteEfer(ref TCpu cpu, CpuState s, ulong value)
    {
        ulong defined = EferBits.LongModeActive
            | (s.Has(CpuFeatures.Syscall) ? EferBits.SyscallEnable : 0)
            | (s.Has(CpuFeatures.LongMode) ? EferBits.LongModeEnable : 0)
            | (s.Has(CpuFeatures.NoExecute) ? EferBits.NoExecuteEnable : 0);
        bool changesMode = ((s.Efer ^ value) & EferBits.LongModeEnable) != 0;
        if ((value & ~defined) != 0 || changesMode && (s.Cr0 & Cr0Pg) != 0)
        {
            return GeneralProtection(s);
        }

        s.Efer = value & ~EferBits.LongModeActive | s.Efer & EferBits.LongModeActive;
        TranslationsChanged(ref cpu, s);
        return true;
    }

    private static bool SegmentBase(CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.FsGsBase) || (s.Cr4 & Cr4FsGsBase) == 0)
        {
            return Undefined(s);
        }

        int segment = (int)(i.Operation is Operation.Rdfsbase or Operation.Wrfsbase ? SegmentName.Fs : SegmentName.Gs);
        ref SegmentState state = ref s.Segments[segment];
        if (i.Operation is Operation.Rdfsbase or Operation.Rdgsbase)
        {
            SetSized(s, i.Rm, state.Base, i.OperandSize);
            return true;
        }

        ulong value = s.General[i.Rm] & Mask(i.OperandSize);
        if (!IsCanonical(s, value))
        {
            return GeneralProtection(s);
        }

        state.Base = value;
        return true;
    }

    private static bool SwapGs(CpuState s)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        ref SegmentState gs = ref s.Segments[(int)SegmentName.Gs];
        (gs.Base, s.KernelGsBase) = (s.KernelGsBase, gs.Base);
        return true;
    }

    /// <summary>
    /// Whether SYSCALL and SYSRET exist: on Intel's processors in 64-bit mode only (volume 2, SYSCALL), on AMD's in all of protected mode
    /// (AMD, volume 3, SYSCALL).
    /// </summary>
    private static bool HasSystemCall(CpuState s) => (s.Efer & EferBits.SyscallEnable) != 0
        && (s.CodeSize == CodeSize.Bits64 || s.IsAmd && s.IsProtected && !s.IsVirtual8086);

    private static bool SystemCall(CpuState s)
    {
        if (!HasSystemCall(s))
        {
            return Undefined(s);
        }

        bool isLong = s.IsLongMode;
        s.General[Rcx] = s.NextRip;
        if (isLong)
        {
            s.General[11] = s.Rflags & ~FlagBits.Resume;
            s.NextRip = s.CodeSize == CodeSize.Bits64 ? s.LStar : s.CStar;
            s.Rflags = s.Rflags & ~s.SyscallMask & ~FlagBits.Resume | FlagBits.Fixed;
        }
        else
        {
            s.NextRip = (uint)s.Star;
            s.Rflags &= ~(FlagBits.VirtualMode | FlagBits.Interrupt | FlagBits.Resume);
        }

        FlatSegments(
            s, (ushort)(s.Star >> 32 & 0xFFFC), (ushort)((s.Star >> 32) + 8 & 0xFFFF), level: 0, isLong ? CodeSize.Bits64 : CodeSize.Bits32);
        return true;
    }

    private static bool SystemReturn(CpuState s, in Instruction i)
    {
        if (!HasSystemCall(s))
        {
            return Undefined(s);
        }

        if (!IsKernel(s))
        {
            return false;
        }

        // AMD's processors meet an address that is not canonical behind the return, at CPL 3 (AMD, volume 3, SYSRET).
        bool wide = i.IsWide && s.CodeSize == CodeSize.Bits64;
        ulong target = s.General[Rcx];
        if (wide && !s.IsAmd && !IsCanonical(s, target))
        {
            return GeneralProtection(s);
        }

        s.Rflags = s.IsLongMode ? s.General[11] & 0x3C_7FD7 & ~FlagBits.Resume | FlagBits.Fixed : s.Rflags | FlagBits.Interrupt;
        s.NextRip = wide ? target : (uint)target;
        ulong selector = s.Star >> 48;
        FlatSegments(
            s, (ushort)(selector + (wide ? 16u : 0) | 3), (ushort)(selector + 8 | 3), level: 3, wide ? CodeSize.Bits64 : CodeSize.Bits32);
        return true;
    }

    /// <summary>AMD's processors have SYSENTER and SYSEXIT outside long mode only (AMD, volume 3, SYSENTER).</summary>
    private static bool HasSystemEnter(CpuState s) => s.Has(CpuFeatures.Sysenter) && !(s.IsAmd && s.IsLongMode);

    private static bool SystemEnter(CpuState s)
    {
        if (!HasSystemEnter(s))
        {
            return Undefined(s);
        }

        if (!s.IsProtected || (s.SysenterCs & NotNullMask) == 0)
        {
            return GeneralProtection(s);
        }

        bool isLong = s.IsLongMode;
        s.Rflags &= ~(FlagBits.VirtualMode | FlagBits.Interrupt | FlagBits.Resume);
        s.General[Rsp] = isLong ? s.SysenterEsp : (uint)s.SysenterEsp;
        s.NextRip = isLong ? s.SysenterEip : (uint)s.SysenterEip;
        ushort selector = (ushort)(s.SysenterCs & 0xFFFC);
        FlatSegments(s, selector, (ushort)(selector + 8), level: 0, isLong ? CodeSize.Bits64 : CodeSize.Bits32);
        return true;
    }

    private static bool SystemExit(CpuState s, in Instruction i)
    {
        if (!HasSystemEnter(s))
        {
            return Undefined(s);
        }

        if (!s.IsProtected || s.Cpl != 0 || (s.SysenterCs & NotNullMask) == 0)
        {
            return GeneralProtection(s);
        }

        bool wide = i.IsWide;
        if (wide && (!IsCanonical(s, s.General[Rdx]) || !IsCanonical(s, s.General[Rcx])))
        {
            return GeneralProtection(s);
        }

        s.NextRip = wide ? s.General[Rdx] : (uint)s.General[Rdx];
        s.General[Rsp] = wide ? s.General[Rcx] : (uint)s.General[Rcx];
        ushort selector = (ushort)s.SysenterCs;
        FlatSegments(
            s, (ushort)(selector + (wide ? 32 : 16) | 3), (ushort)(selector + (wide ? 40 : 24) | 3), level: 3, wide ? CodeSize.Bits64 : CodeSize.Bits32);
        return true;
    }

    /// <summary>The fast calls load fixed descriptors without reading any (volume 2, SYSCALL, SYSENTER).</summary>
    private static void FlatSegments(CpuState s, ushort code, ushort stack, int level, CodeSize size)
    {
        uint dpl = (uint)level << 5;
        s.Segments[(int)SegmentName.Cs] = new()
        {
            Selector = code,
            Limit = uint.MaxValue,
            Access = 0x9B | dpl | SegmentState.GranularityBit | (size == CodeSize.Bits64 ? SegmentState.LongBit : SegmentState.BigBit),
        };
        s.Segments[(int)SegmentName.Ss] = new()
        {
            Selector = stack,
            Limit = uint.MaxValue,
            Access = 0x93 | dpl | SegmentState.GranularityBit | SegmentState.BigBit,
        };
    }
}
