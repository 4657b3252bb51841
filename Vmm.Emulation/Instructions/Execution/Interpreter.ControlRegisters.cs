// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>MOV CR, MOV DR, CLTS, LMSW, SMSW, descriptor-table registers (volume 3, system architecture overview).</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong Cr0Pe = 1;
    private const ulong Cr0Et = 1 << 4;
    private const ulong Cr0Wp = 1 << 16;
    private const ulong Cr0Nw = 1 << 29;
    private const ulong Cr0Cd = 1 << 30;
    private const ulong Cr0Pg = 1UL << 31;
    private const ulong Cr0Defined = 0xE005_003F;
    private const ulong Cr4Pae = 1 << 5;
    private const ulong Cr4Pge = 1 << 7;
    private const ulong Cr4Umip = 1 << 11;
    private const ulong Cr4La57 = 1 << 12;
    private const ulong Cr4FsGsBase = 1 << 16;
    private const ulong Cr4Pcide = 1 << 17;
    private const ulong Cr4OsXsave = 1 << 18;
    private const ulong Cr4Smep = 1 << 20;
    private const ulong Cr4Smap = 1 << 21;
    private const ulong Cr4Pke = 1 << 22;

    /// <summary>CPL 0, which virtual-8086 mode never has; real mode always.</summary>
    private static bool IsKernel(CpuState s) => !s.IsProtected || s.Cpl == 0 && !s.IsVirtual8086 || GeneralProtection(s);

    private static bool MoveControl(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        if (i.Pattern == Pattern.EC)
        {
            SetSized(s, i.Rm, i.Reg switch
            {
                0 => s.Cr0,
                2 => s.Cr2,
                3 => s.Cr3,
                4 => s.Cr4,
                _ => s.Cr8,
            }, i.OperandSize);
            return true;
        }

        ulong value = s.General[i.Rm] & Mask(i.OperandSize);
        switch (i.Reg)
        {
            case 0:
                return SetCr0(ref cpu, s, value);
            case 2:
                s.Cr2 = value;
                return true;
            case 3:
                return SetCr3(ref cpu, s, value);
            case 4:
                return SetCr4(ref cpu, s, value);
            default:
                if (value > 15)
                {
                    return GeneralProtection(s);
                }

                s.Cr8 = value;
                return true;
        }
    }

    /// <summary>CR0 with the consequences of PG for long mode (volume 3, control registers and initializing IA-32e mode).</summary>
    private static bool SetCr0(ref TCpu cpu, CpuState s, ulong value)
    {
        if (value >> 32 != 0)
        {
            return GeneralProtection(s);
        }

        value = value & Cr0Defined | Cr0Et;
        bool paging = (value & Cr0Pg) != 0;
        bool was = (s.Cr0 & Cr0Pg) != 0;
        if (paging && (value & Cr0Pe) == 0 || (value & Cr0Nw) != 0 && (value & Cr0Cd) == 0)
        {
            return GeneralProtection(s);
        }

        ulong efer = s.Efer;
        if (paging && !was && (efer & EferBits.LongModeEnable) != 0)
        {
            // Nor with a TSS of 16 bits (volume 2, MOV to control registers).
            ref SegmentState tss = ref s.Segments[(int)SegmentName.Tr];
            if ((s.Cr4 & Cr4Pae) == 0 || s.Segments[(int)SegmentName.Cs].IsLong || !tss.IsUnusable && tss.Type is 1 or 3)
            {
                return GeneralProtection(s);
            }

            efer |= EferBits.LongModeActive;
        }
        else if (!paging && was)
        {
            if (s.CodeSize == CodeSize.Bits64 || (s.Cr4 & Cr4Pcide) != 0)
            {
                return GeneralProtection(s);
            }

            efer &= ~EferBits.LongModeActive;
        }

        bool pae = paging && (s.Cr4 & Cr4Pae) != 0 && (efer & EferBits.LongModeActive) == 0;
        if (pae && !was && !ArePdptesValid(ref cpu, s, s.Cr3))
        {
            return false;
        }

        ulong changed = s.Cr0 ^ value;
        s.Cr0 = value;
        s.Efer = efer;
        if ((changed & (Cr0Pg | Cr0Wp | Cr0Pe)) != 0)
        {
            TranslationsChanged(ref cpu, s);
        }

        return true;
    }

    /// <summary>With CR4.PCIDE the low twelve bits are a PCID, and bit 63 asks to keep what is remembered of it (volume 3, invalidation of TLBs).</summary>
    private static bool SetCr3(ref TCpu cpu, CpuState s, ulong value)
    {
        const ulong Keep = 1UL << 63;
        bool keeps = false;
        if (s.IsLongMode)
        {
            if ((s.Cr4 & Cr4Pcide) != 0)
            {
                keeps = (value & Keep) != 0;
                value &= ~Keep;
            }

            if (value >> Math.Clamp(s.PhysicalAddressBits, 32, 52) != 0)
            {
                return GeneralProtection(s);
            }
        }
        else if ((s.Cr0 & Cr0Pg) != 0 && (s.Cr4 & Cr4Pae) != 0 && !ArePdptesValid(ref cpu, s, value))
        {
            return false;
        }

        ushort from = Pcid(s);
        s.Cr3 = value;
        s.Translations.Switch(from, Pcid(s), keeps);
        cpu.TranslationsChanged();
        return true;
    }

    private static ushort Pcid(CpuState s) => (s.Cr4 & Cr4Pcide) == 0 ? (ushort)0 : (ushort)(s.Cr3 & 0xFFF);

    /// <summary>Loading PAE's four entries checks their reserved bits (volume 3, PDPTE registers).</summary>
    private static bool ArePdptesValid(ref TCpu cpu, CpuState s, ulong cr3)
    {
        ulong reserved = ~((1UL << Math.Clamp(s.PhysicalAddressBits, 32, 52)) - 1) | 0x1E6;
        Span<byte> bytes = stackalloc byte[32];
        if (!ReadPhysical(ref cpu, s, cr3 & 0xFFFF_FFE0, bytes))
        {
            return false;
        }

        for (int n = 0; n < 4; n++)
        {
            ulong entry = BitConverter.ToUInt64(bytes[(n * 8)..]);
            if ((entry & 1) != 0 && (entry & reserved) != 0)
            {
                return GeneralProtection(s);
            }
        }

        return true;
    }

    private static bool SetCr4(ref TCpu cpu, CpuState s, ulong value)
    {
        // VME to PCE, OSFXSR, OSXMMEXCPT; the others where the processor has the feature.
        ulong defined = 0x7FF
            | (s.Has(CpuFeatures.Umip) ? Cr4Umip : 0) | (s.Has(CpuFeatures.La57) ? Cr4La57 : 0)
            | (s.Has(CpuFeatures.FsGsBase) ? Cr4FsGsBase : 0) | (s.Has(CpuFeatures.Pcid) ? Cr4Pcide : 0)
            | (s.Has(CpuFeatures.Xsave) ? Cr4OsXsave : 0) | (s.Has(CpuFeatures.Smep) ? Cr4Smep : 0)
            | (s.Has(CpuFeatures.Smap) ? Cr4Smap : 0) | (s.Has(CpuFeatures.Pku) ? Cr4Pke : 0);
        ulong changed = s.Cr4 ^ value;
        if ((value & ~defined) != 0
            || s.IsLongMode && ((value & Cr4Pae) == 0 || (changed & Cr4La57) != 0)
            || (value & Cr4Pcide) != 0 && (!s.IsLongMode || (changed & Cr4Pcide) != 0 && (s.Cr3 & 0xFFF) != 0))
        {
            return GeneralProtection(s);
        }

        bool entersPae = (s.Cr0 & Cr0Pg) != 0 && !s.IsLongMode && (value & Cr4Pae) != 0 && (changed & (Cr4Pae | Cr4Pge | Cr4Smep | 0x10)) != 0;
        if (entersPae && !ArePdptesValid(ref cpu, s, s.Cr3))
        {
            return false;
        }

        s.Cr4 = value;
        TranslationsChanged(ref cpu, s);
        return true;
    }

    private static void TranslationsChanged(ref TCpu cpu, CpuState s)
    {
        s.FlushTranslations();
        cpu.TranslationsChanged();
    }

    /// <summary>DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them undefined; DR7.GD traps every access.</summary>
    private static bool MoveDebug(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int register = i.Reg;
        if (register is 4 or 5)
        {
            if ((s.Cr4 & 8) != 0)
            {
                return Undefined(s);
            }

            register += 2;
        }

        if (!IsKernel(s))
        {
            return false;
        }

        if ((s.Dr7 & 1 << 13) != 0)
        {
            s.Dr7 &= ~(1UL << 13);
            s.Dr6 |= 1 << 13;
            return Fault(s, Vector.Debug);
        }

        if (i.Pattern == Pattern.ED)
        {
            SetSized(s, i.Rm, register switch
            {
                6 => s.Dr6,
                7 => s.Dr7,
                _ => s.DebugAddresses[register],
            }, i.OperandSize);
            return true;
        }

        ulong value = s.General[i.Rm] & Mask(i.OperandSize);
        if (register >= 6 && value >> 32 != 0)
        {
            return GeneralProtection(s);
        }

        switch (register)
        {
            case 6:
                // Bit 16 tells of transactions, where the processor has them (volume 3, DR6).
                const ulong Transactions = 1 << 16;
                bool hasTransactions = (cpu.Cpuid(7, 0).Ebx & 1 << 11) != 0;
                s.Dr6 = value & (0xE00F | Transactions) | 0xFFFE_0FF0 | (hasTransactions ? 0 : Transactions);
                break;
            case 7:
                s.Dr7 = value & 0xFFFF_2BFF | 0x400;
                s.EndsRun |= s.HasBreakpoints;
                break;
            default:
                // Any 64 bits: whether the address is canonical is not checked (volume 3, debug registers and Intel 64 processors).
                s.DebugAddresses[register] = value;
                break;
        }

        return true;
    }

    private static bool ClearTaskSwitched(CpuState s)
    {
        if (!IsKernel(s))
        {
            return false;
        }

        s.Cr0 &= ~8UL;
        return true;
    }

    /// <summary>LMSW sets the low four bits of CR0 and cannot clear PE.</summary>
    private static bool LoadMachineStatus(ref TCpu cpu, CpuState s, in Instruction i)
        => IsKernel(s) && ReadESized(ref cpu, s, in i, 2, out ulong value) && SetCr0(ref cpu, s, s.Cr0 & ~0xEUL | value & 0xF);

    /// <summary>SMSW, SLDT, STR: readable at any privilege unless UMIP forbids (volume 3, control registers).</summary>
    private static bool StoreSystem(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (i.Operation != Operation.Smsw && (!s.IsProtected || s.IsVirtual8086))
        {
            return Undefined(s);
        }

        if (!IsUmipPermitted(s))
        {
            return false;
        }

        ulong value = i.Operation switch
        {
            Operation.Smsw => s.Cr0,
            Operation.Sldt => s.Segments[(int)SegmentName.Ldtr].Selector,
            _ => s.Segments[(int)SegmentName.Tr].Selector,
        };
        return WriteESized(ref cpu, s, in i, i.HasMemoryOperand ? 2 : i.OperandSize, value);
    }

    private static bool IsUmipPermitted(CpuState s)
        => (s.Cr4 & Cr4Umip) == 0 || !s.IsProtected || s.Cpl == 0 && !s.IsVirtual8086 || GeneralProtection(s);

    /// <summary>SGDT and SIDT store, LGDT and LIDT load two bytes of limit and a base of 8 bytes, 4, or with 16-bit operands 3.</summary>
    private static bool DescriptorTable(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool stores = i.Operation is Operation.Sgdt or Operation.Sidt;
        bool isGdt = i.Operation is Operation.Sgdt or Operation.Lgdt;
        if (stores ? !IsUmipPermitted(s) : !IsKernel(s))
        {
            return false;
        }

        bool is64 = s.CodeSize == CodeSize.Bits64;
        int size = is64 ? 10 : 6;
        if (!AddressUnaligned(s, in i, size, stores, out ulong linear))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[10];
        if (stores)
        {
            DescriptorTableRegister register = isGdt ? s.Gdtr : s.Idtr;
            BitConverter.TryWriteBytes(bytes, register.Limit);
            BitConverter.TryWriteBytes(bytes[2..], register.Base);
            return WriteBytes(ref cpu, s, linear, bytes[..size]);
        }

        if (!ReadBytes(ref cpu, s, linear, bytes[..size]))
        {
            return false;
        }

        ulong address = is64 ? BitConverter.ToUInt64(bytes[2..]) : BitConverter.ToUInt32(bytes[2..]);
        bool small = s.CodeSize == CodeSize.Bits16 ^ (i.Prefixes & Prefixes.OperandSize) != 0;
        if (!is64 && small)
        {
            address &= 0xFF_FFFF;
        }

        if (is64 && !IsCanonical(s, address))
        {
            return GeneralProtection(s);
        }

        DescriptorTableRegister loaded = new(address, BitConverter.ToUInt16(bytes));
        if (isGdt)
        {
            s.Gdtr = loaded;
        }
        else
        {
            s.Idtr = loaded;
        }

        return true;
    }
}
