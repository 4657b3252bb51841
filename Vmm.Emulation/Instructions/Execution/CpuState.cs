// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The architectural state that instructions work on. A binding fills it before execution and, where it is a copy, writes back
/// afterwards what changed. One thread at a time.
/// </summary>
public sealed partial class CpuState
{
    internal InterruptShadow NextShadow;

    /// <summary>What stops the current instruction from completing.</summary>
    internal ExecutionResult Outcome;

    /// <summary>The event whose delivery failed last, and with what; no attempt when one has succeeded since.</summary>
    internal FaultEvent FailedEvent;

    /// <summary>What the delivery of <see cref="FailedEvent"/> failed with.</summary>
    internal ExecutionResult FailedWith;

    /// <summary>The current instruction set RF itself (IRET loads it).</summary>
    internal bool KeepsResume;

    private RegisterFile _registers;
    private FaultTrail _trail;
    private TranslationCache? _translations;
    private ulong _controlFlags = 2;
    private SegmentRegisters _segments;
    private DebugAddresses _debugAddresses;

    /// <summary>
    /// How the last exception whose delivery failed led to the one that could be delivered, or to a shutdown. What has been delivered since
    /// leaves no trace here.
    /// </summary>
    public ref readonly FaultTrail Trail => ref _trail;

    /// <summary>As <see cref="Trail"/>, for the executor.</summary>
    internal ref FaultTrail TrailForWriting => ref _trail;

    /// <summary>General registers.</summary>
    public ref GeneralRegisters General => ref Unsafe.As<RegisterFile, GeneralRegisters>(ref _registers);

    /// <summary>Segment registers.</summary>
    public ref SegmentRegisters Segments => ref _segments;

    /// <summary>x87, MMX, SSE, AVX and the state of the XSAVE family.</summary>
    public ExtendedState Extended { get; } = new();

    /// <summary>The offset of the next instruction in CS.</summary>
    public ulong Rip { get; set; }

    /// <summary>RFLAGS; bit 1 is always set.</summary>
    public ulong Rflags
    {
        get => _controlFlags | Flags.Status(FlagResult, FlagCarries);
        set
        {
            _controlFlags = value & ~FlagBits.Status;
            FlagResult = Flags.FromStatus(value, out FlagCarries);
        }
    }

    /// <summary>GDTR.</summary>
    public DescriptorTableRegister Gdtr { get; set; }

    /// <summary>IDTR.</summary>
    public DescriptorTableRegister Idtr { get; set; }

    /// <summary>CR0.</summary>
    public ulong Cr0 { get; set; } = 0x10;

    /// <summary>CR2.</summary>
    public ulong Cr2 { get; set; }

    /// <summary>CR3.</summary>
    public ulong Cr3 { get; set; }

    /// <summary>CR4.</summary>
    public ulong Cr4 { get; set; }

    /// <summary>CR8, the task priority, 0 to 15.</summary>
    public ulong Cr8 { get; set; }

    /// <summary>IA32_EFER.</summary>
    public ulong Efer { get; set; }

    /// <summary>XCR0.</summary>
    public ulong Xcr0 { get; set; } = 1;

    /// <summary>IA32_XSS.</summary>
    public ulong Xss { get; set; }

    /// <summary>PKRU.</summary>
    public uint Pkru { get; set; }

    /// <summary>DR6.</summary>
    public ulong Dr6 { get; set; } = 0xFFFF_0FF0;

    /// <summary>DR7.</summary>
    public ulong Dr7 { get; set; } = 0x400;

    /// <summary>IA32_KERNEL_GS_BASE, which SWAPGS exchanges.</summary>
    public ulong KernelGsBase { get; set; }

    /// <summary>IA32_STAR.</summary>
    public ulong Star { get; set; }

    /// <summary>IA32_LSTAR.</summary>
    public ulong LStar { get; set; }

    /// <summary>IA32_CSTAR.</summary>
    public ulong CStar { get; set; }

    /// <summary>IA32_FMASK.</summary>
    public ulong SyscallMask { get; set; }

    /// <summary>IA32_SYSENTER_CS.</summary>
    public ulong SysenterCs { get; set; }

    /// <summary>IA32_SYSENTER_ESP.</summary>
    public ulong SysenterEsp { get; set; }

    /// <summary>IA32_SYSENTER_EIP.</summary>
    public ulong SysenterEip { get; set; }

    /// <summary>IA32_TSC_AUX.</summary>
    public uint TscAux { get; set; }

    /// <summary>Interrupts are held off for one instruction, after STI or a load of SS.</summary>
    public InterruptShadow Shadow { get; set; }

    /// <summary>HLT or MWAIT was executed and nothing has woken the CPU since. The binding clears it.</summary>
    public bool Halted { get; set; }

    /// <summary>What the last instruction asked in vain, where that was <see cref="ExecutionStatus.NotExecutable"/>.</summary>
    public ExecutionRefusal Refusal { get; internal set; }

    /// <summary>What CPUID promises the guest. It must not exceed what the binding's CPUID says.</summary>
    public CpuFeatures Features { get; set; } = CpuFeatures.All;

    /// <summary>Whose manual is followed where they differ; Intel's unless it is AMD's.</summary>
    public CpuVendor Vendor { get; set; } = CpuVendor.Intel;

    /// <summary>MAXPHYADDR, 32 to 52.</summary>
    public int PhysicalAddressBits { get; set; } = 46;

    /// <summary>DR0 to DR3.</summary>
    public ref DebugAddresses DebugAddresses => ref _debugAddresses;

    /// <summary>The current privilege level, the DPL of SS (volume 3, privilege levels).</summary>
    public int Cpl => _segments[(int)SegmentName.Ss].Dpl;

    internal bool IsAmd => Vendor == CpuVendor.Amd;

    /// <summary>Whether CR0.PE is set.</summary>
    public bool IsProtected => (Cr0 & 1) != 0;

    /// <summary>Whether this is virtual-8086 mode.</summary>
    public bool IsVirtual8086 => (Rflags & FlagBits.VirtualMode) != 0 && IsProtected;

    /// <summary>Whether IA32_EFER.LMA is set.</summary>
    public bool IsLongMode => (Efer & EferBits.LongModeActive) != 0;

    /// <summary>The size of the code that RIP points at.</summary>
    public CodeSize CodeSize
    {
        get
        {
            uint access = _segments[(int)SegmentName.Cs].Access;
            return IsLongMode && (access & SegmentState.LongBit) != 0 ? CodeSize.Bits64
                : (access & SegmentState.BigBit) != 0 ? CodeSize.Bits32 : CodeSize.Bits16;
        }
    }

    /// <summary>What a page walk would use now.</summary>
    public PagingState Paging => new(Cr0, Cr3, Cr4, Efer, Rflags, Pkru, PhysicalAddressBits, Has(CpuFeatures.GigabytePages));

    /// <summary>Forgets cached translations and the references to memory behind them. A binding calls it whenever something other than
    /// an executed instruction may have changed paging registers or where guest memory is, when writes have to be seen again by
    /// <see cref="IPhysicalMemory.Ram"/>, or when the guest was executed elsewhere since.</summary>
    public void FlushTranslations()
    {
        Translations.Flush();
        CodeChanged();
    }

    internal ulong FsBase => _segments[(int)SegmentName.Fs].Base;

    internal bool Has(CpuFeatures features) => (Features & features) == features;
}
