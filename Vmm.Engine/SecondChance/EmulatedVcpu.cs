// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Memory;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Engine.Memory;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// A vCPU of the hypervisor while the engine executes instructions on it: memory, devices, and what may be executed here. The state
/// travels in <see cref="VcpuStateTransfer"/>. Used by the vCPU's owner only.
/// </summary>
internal sealed partial class EmulatedVcpu
{
    private const StateNeeds HypervisorState = StateNeeds.TaskPriority | StateNeeds.Counters | StateNeeds.TimeStamp | StateNeeds.Identification
        | StateNeeds.Msrs | StateNeeds.Idle | StateNeeds.Monitoring | StateNeeds.ControlBits;

    private const int CounterRegister = 1;

    /// <summary>VME to PCE, OSFXSR and OSXMMEXCPT: every 64-bit processor has them.</summary>
    private const ulong CommonCr4 = 0x7ff;

    private const ulong BreakpointEnables = 0xff;
    private const ulong TrapFlag = 1 << 8;
    private const ulong InterruptFlag = 1 << 9;

    private readonly VirtualCpu _cpu;
    private readonly VirtualMachine _machine;
    private readonly VcpuStateTransfer _transfer;
    private readonly CpuidEntry[] _cpuid;
    private MappedRange? _range;
    private WrittenPages? _written;
    private Instruction _first;

    public EmulatedVcpu(VirtualCpu cpu, VirtualMachine machine, CpuidEntry[] cpuid)
    {
        _cpu = cpu;
        _machine = machine;
        _cpuid = cpuid;
        (State, _transfer) = MakeState(cpuid);
    }

    /// <summary>A state for the executor, and what carries a vCPU's into it.</summary>
    /// <param name="cpuid">What CPUID answers the guest.</param>
    public static (CpuState State, VcpuStateTransfer Transfer) MakeState(CpuidEntry[] cpuid)
    {
        CpuState state = new()
        {
            Features = CpuidFeatures.Read(cpuid) | HostProcessor.Features,
            Vendor = CpuidFeatures.Vendor(cpuid) is var vendor and not CpuVendor.Unknown ? vendor : HostProcessor.Vendor,
            PhysicalAddressBits = CpuidFeatures.PhysicalAddressBits(cpuid),
        };
        CpuidResult xsave = CpuidFeatures.Find(cpuid, 0xD, 0);
        return (state, new VcpuStateTransfer(
            state, xsave.Eax | ((ulong)xsave.Edx << 32), CpuidFeatures.Find(cpuid, 0xD, 9).Ebx));
    }

    /// <summary>The state that instructions work on.</summary>
    public CpuState State { get; }

    /// <summary>What CPUID answers the guest.</summary>
    public ReadOnlySpan<CpuidEntry> CpuidEntries => _cpuid;

    /// <summary>Whether the next instruction is the one that the hypervisor gave up on.</summary>
    public bool IsFirst { get; private set; }

    /// <summary>The first instruction of the batch; the default value until it is known.</summary>
    public ref readonly Instruction First => ref _first;

    /// <summary>Whether RAM was written since the state was taken.</summary>
    public bool HasWrittenRam { get; private set; }

    /// <summary>Whether cached translations have to go.</summary>
    public bool HasChangedTranslations { get; private set; }

    /// <summary>The linear address that the first instruction's operand must have, or null; string instructions are not asked.</summary>
    public ulong? ExpectedOperand { get; set; }

    /// <summary>Why the last instruction was refused.</summary>
    public EmulationRefusal Refusal { get; private set; }

    /// <summary>
    /// Whether this is how the vCPU executes kernel mode, and not what the hypervisor could not: then what needs no hypervisor is
    /// executed here.
    /// </summary>
    public bool Carries { get; set; }

    /// <summary>Whether an interrupt waits until the guest takes it.</summary>
    public bool AwaitsWindow { get; set; }

    /// <summary>Whether the last instruction that was refused is one that the hypervisor may raise an exception for.</summary>
    public bool MayFaultInHypervisor { get; private set; }

    /// <summary>The bytes of the last instruction that was refused if that is CPUID, or 0.</summary>
    public int IdentificationLength { get; private set; }

    /// <summary>Takes the state from the hypervisor: the beginning of a batch.</summary>
    public void Load(IBackendVcpu backend)
    {
        _transfer.Load(backend);
        Accesses.Reset();
        Begin();
        _first = default;
        _range = null;
        HasWrittenRam = false;
        HasChangedTranslations = false;
        DroppedWrite = null;
        ExpectedOperand = null;
        Carries = false;
        AwaitsWindow = false;
    }

    /// <summary>An instruction begins that the hypervisor gave up on, for the first time or again.</summary>
    public void Begin()
    {
        IsFirst = true;
        MayFaultInHypervisor = false;
        IdentificationLength = 0;
        Refusal = EmulationRefusal.None;
        Accesses.Begin();
    }

    /// <summary>
    /// The instruction whose access was answered begins again. Since it began to wait, memory may have been mapped elsewhere and the
    /// guest's tables may have been written.
    /// </summary>
    public void Resume()
    {
        _range = null;
        State.FlushTranslations();
        Begin();
    }

    /// <summary>Gives the hypervisor what changed.</summary>
    public void Store(IBackendVcpu backend) => _transfer.Store(backend);

    /// <summary>Everything that was executed has written what it writes.</summary>
    public void SettleWrites() => _written?.Settle();

    /// <summary>Fetches a part of the state at once.</summary>
    public void Require(StateNeeds needs) => _transfer.Require(needs);

    /// <summary>Whether an IRET was executed: NMIs are not blocked any more.</summary>
    public bool HasUnblockedNmis { get; set; }

    public bool Admits(in Instruction instruction)
    {
        StateNeeds needs = instruction.Needs;
        if (IsFirst)
        {
            _first = instruction;
            EmulatedCpu cpu = new(this);
            if (ExpectedOperand is { } expected
                && Executor.TryGetOperandAddress(ref cpu, instruction, out ulong operand)
                && operand != expected)
            {
                return Refuse(EmulationRefusal.OperandElsewhere);
            }
        }
        else if (MustEnd(needs))
        {
            return Refuse(EmulationRefusal.LeftToHypervisor);
        }

        if (instruction.IsBreakpoint && _cpu.StopsAtInt3)
        {
            return Refuse(EmulationRefusal.Breakpoint);
        }

        if ((needs & HypervisorState) != 0 && !IsAnsweredHere(in instruction, ref needs))
        {
            MayFaultInHypervisor = (needs & (StateNeeds.Counters | StateNeeds.TaskPriority | StateNeeds.ControlBits)) != 0;
            IdentificationLength = (needs & StateNeeds.Identification) != 0 ? instruction.Length : 0;
            return Refuse(EmulationRefusal.OwnedByHypervisor);
        }

        if (needs != StateNeeds.None)
        {
            HasUnblockedNmis |= (needs & StateNeeds.NmiUnblocking) != 0;
            _transfer.Require(needs);
        }

        return true;
    }

    /// <summary>
    /// Whether what is the hypervisor's can be answered here all the same: a write of CR4 that sets no bit which some processors lack and,
    /// in kernel mode that is carried, model-specific registers that are plain state or the engine's local APIC's, the time-stamp counter,
    /// and waiting in HLT.
    /// </summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="needs">What the instruction needs; what a register needs is added.</param>
    private bool IsAnsweredHere(in Instruction instruction, ref StateNeeds needs)
    {
        switch (needs & HypervisorState)
        {
            case StateNeeds.ControlBits:
                return (Executor.ControlValue(State, instruction) & ~(State.Cr4 | CommonCr4)) == 0;
            case var _ when !Carries:
                return false;
            case StateNeeds.TimeStamp or StateNeeds.Idle:
                return true;
            case StateNeeds.Msrs:
                uint index = (uint)State.General[CounterRegister];
                StateNeeds register = MsrTransfer.NeedsOf(index);
                needs |= register;
                return register != StateNeeds.None ? _cpu.IsPlainMsr(index) : _cpu.IsLocalApicMsr(index);
            default:
                return false;
        }
    }

    /// <summary>
    /// Whether a batch ends here: somebody wants the vCPU, a device that ends the guest too, or an interrupt has waited for this moment.
    /// In a second chance the hypervisor goes on where it knows best what it caches, and in loops that wait; user mode is never the slow
    /// way.
    /// </summary>
    public bool MustEnd(StateNeeds needs = StateNeeds.None) =>
        _cpu.IsWanted
        || MustLeave
        || HasArmedBreakpoints
        || (!Carries && (needs & (StateNeeds.Caches | StateNeeds.Spinning)) != 0)
        || (AwaitsWindow && IsInterruptible);

    /// <summary>Whether the guest has enabled a breakpoint in this batch: those are the hypervisor's to see.</summary>
    public bool HasArmedBreakpoints => _transfer.HasDebug && (State.Dr7 & BreakpointEnables) != 0;

    /// <summary>Whether the guest is where it is better executed by the hypervisor.</summary>
    public bool MustLeave => State.Cpl == 3;

    /// <summary>
    /// Whether the engine carries code like this: 64-bit kernel mode that is not stepped through. The short ways through other modes are
    /// the hypervisor's.
    /// </summary>
    public bool IsCarriable => !MustLeave && State.CodeSize == CodeSize.Bits64 && (State.Rflags & TrapFlag) == 0;

    /// <summary>Whether the guest takes an interrupt now.</summary>
    public bool IsInterruptible => (State.Rflags & InterruptFlag) != 0 && State.Shadow == InterruptShadow.None;

    public void Retired()
    {
        IsFirst = false;
        Accesses.Commit();
    }

    public void TranslationsChanged() => HasChangedTranslations = true;

    /// <summary>The bytes of RAM at an address; empty where not all of them are RAM that may be accessed so.</summary>
    public Span<byte> Ram(ulong physicalAddress, int length, bool write)
    {
        GuestPhysicalAddress address = new(physicalAddress);
        MappedRange? range = _range;
        if (range is null || !range.Range.Contains(address))
        {
            range = _machine.Space.Find(address);
            if (range is null)
            {
                return default;
            }

            _range = range;
        }

        Span<byte> bytes = range.Bytes(address, length, write ? MemoryProtection.Write : MemoryProtection.None);
        if (write && !bytes.IsEmpty)
        {
            HasWrittenRam = true;
            if (range.Dirty is { } dirty)
            {
                (_written ??= new WrittenPages()).Note(dirty, physicalAddress - range.Range.Start.Value, length);
            }
        }

        return bytes;
    }

    private bool Refuse(EmulationRefusal reason)
    {
        Refusal = reason;
        return false;
    }
}
