// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Engine.Memory;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// A vCPU of the hypervisor while the engine executes instructions on it: memory, devices, and what may be executed here. The state
/// travels in <see cref="VcpuStateTransfer"/>. Used by the vCPU's owner only.
/// </summary>
internal sealed class EmulatedVcpu
{
    private const StateNeeds HypervisorState = StateNeeds.TaskPriority | StateNeeds.Counters | StateNeeds.TimeStamp | StateNeeds.Identification
        | StateNeeds.Msrs | StateNeeds.Idle | StateNeeds.Monitoring;

    private const int CounterRegister = 1;
    private const ulong BreakpointEnables = 0xff;
    private const ulong TrapFlag = 1 << 8;
    private const ulong InterruptFlag = 1 << 9;
    private const ulong ResumeFlag = 1 << 16;
    private const uint TimeStampCounter = 0x10;

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

    /// <summary>The accesses to devices of the present instruction.</summary>
    public AccessLog Accesses { get; } = new();

    /// <summary>Whether the next instruction is the one that the hypervisor gave up on.</summary>
    public bool IsFirst { get; private set; }

    /// <summary>The first instruction of the batch; the default value until it is known.</summary>
    public ref readonly Instruction First => ref _first;

    /// <summary>Whether RAM was written since the state was taken.</summary>
    public bool HasWrittenRam { get; private set; }

    /// <summary>Whether cached translations have to go.</summary>
    public bool HasChangedTranslations { get; private set; }

    /// <summary>The read-only memory that was written to, or null.</summary>
    public GuestPhysicalAddress? DroppedWrite { get; private set; }

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

    /// <summary>
    /// A hypervisor steps by the trap flag, and the frame of an event that it delivers on its way has the flag too. Takes it out of a frame
    /// that returns to where the step began, or behind that instruction: the handler's first one may have skipped it already.
    /// </summary>
    /// <param name="rip">RIP behind the step.</param>
    /// <param name="stackPointer">RSP behind the step: near the frame, because one instruction of the handler was executed.</param>
    public void ClearStepInFrame(ulong rip, ulong stackPointer)
    {
        const int Slots = 32;
        if (rip - State.Rip <= InstructionBytes.Length)
        {
            return;
        }

        ulong selector = State.Segments[(int)SegmentName.Cs].Selector;
        for (ulong slot = stackPointer; slot < stackPointer + (Slots * sizeof(ulong)); slot += sizeof(ulong))
        {
            Span<byte> flags = PeekWord(slot + (2 * sizeof(ulong)), write: true);
            if (flags.IsEmpty || ToWord(PeekWord(slot, write: false)) - State.Rip > (uint)InstructionBytes.Length)
            {
                continue;
            }

            ulong value = MemoryMarshal.Read<ulong>(flags);
            if (ToWord(PeekWord(slot + sizeof(ulong), write: false)) == selector
                && ((value ^ State.Rflags) & ~ResumeFlag) == TrapFlag)
            {
                value ^= TrapFlag;
                MemoryMarshal.Write(flags, in value);
                return;
            }
        }
    }

    private Span<byte> PeekWord(ulong linear, bool write)
    {
        const ulong PageMask = 0xfff;
        if ((linear & PageMask) > PageMask + 1 - sizeof(ulong))
        {
            return default;
        }

        EmulatedCpu cpu = new(this);
        Translation translation = PageWalker.Probe(ref cpu, State.Paging, linear, PageAccess.Read);
        return translation.Status == TranslationStatus.Mapped ? Ram(translation.PhysicalAddress, sizeof(ulong), write) : default;
    }

    private static ulong ToWord(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? 0 : MemoryMarshal.Read<ulong>(bytes);

    /// <summary>The bytes at RIP, as far as they can be fetched without an effect on the guest.</summary>
    public ReadOnlySpan<byte> FetchBytes(Span<byte> buffer)
    {
        const ulong PageMask = 0xfff;
        EmulatedCpu cpu = new(this);
        ref readonly SegmentState code = ref State.Segments[(int)SegmentName.Cs];
        ulong linear = State.CodeSize == CodeSize.Bits64 ? State.Rip : (uint)(State.Rip + code.Base);
        PageAccess access = PageAccess.Execute | (State.Cpl == 3 ? PageAccess.User : PageAccess.Read);
        int count = 0;
        while (count < buffer.Length)
        {
            Translation translation = PageWalker.Probe(ref cpu, State.Paging, linear + (uint)count, access);
            int some = (int)Math.Min((ulong)(buffer.Length - count), PageMask + 1 - ((linear + (uint)count) & PageMask));
            Span<byte> bytes = translation.Status == TranslationStatus.Mapped
                ? Ram(translation.PhysicalAddress, some, write: false)
                : default;
            if (bytes.IsEmpty)
            {
                break;
            }

            bytes.CopyTo(buffer[count..]);
            count += some;
        }

        return buffer[..count];
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

        if ((needs & HypervisorState) != 0 && !(Carries && IsAnsweredHere(ref needs)))
        {
            MayFaultInHypervisor = (needs & (StateNeeds.Counters | StateNeeds.TaskPriority)) != 0;
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

    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data)
    {
        if (WithoutDevice(Accesses.TryReplay(AccessKind.MemoryRead, physicalAddress, data), AccessKind.MemoryRead, physicalAddress) is { } settled)
        {
            return settled;
        }

        BusOutcome outcome = _cpu.ReadMmio(physicalAddress, data.Length, out ulong value);
        return Finish(AccessKind.MemoryRead, physicalAddress, value, data, outcome);
    }

    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data)
    {
        if (WithoutDevice(Accesses.TrySkip(AccessKind.MemoryWrite, physicalAddress, data.Length), AccessKind.MemoryWrite, physicalAddress) is { } settled)
        {
            return settled;
        }

        ulong value = ToValue(data);
        if (_machine.Space.Find(new(physicalAddress)) is not null && !_cpu.IsDoorbell(physicalAddress))
        {
            DroppedWrite = new(physicalAddress);
            return Finish(AccessKind.MemoryWrite, physicalAddress, value, data.Length, BusOutcome.Done);
        }

        return Finish(AccessKind.MemoryWrite, physicalAddress, value, data.Length, _cpu.WriteMmio(physicalAddress, data.Length, value));
    }

    public BusOutcome ReadPort(ushort port, Span<byte> data)
    {
        if (WithoutDevice(Accesses.TryReplay(AccessKind.PortIn, port, data), AccessKind.PortIn, port) is { } settled)
        {
            return settled;
        }

        BusOutcome outcome = _cpu.ReadPort(port, data.Length, out uint value);
        return Finish(AccessKind.PortIn, port, value, data, outcome);
    }

    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data)
    {
        if (WithoutDevice(Accesses.TrySkip(AccessKind.PortOut, port, data.Length), AccessKind.PortOut, port) is { } settled)
        {
            return settled;
        }

        uint value = (uint)ToValue(data);
        return Finish(AccessKind.PortOut, port, value, data.Length, _cpu.WritePort(port, data.Length, value));
    }

    /// <summary>Reads a model-specific register that no state here is.</summary>
    public BusOutcome ReadMsr(uint index, out ulong value) => ToOutcome(_cpu.ReadCarriedMsr(index, out value));

    /// <summary>Writes a model-specific register that no state here is.</summary>
    public BusOutcome WriteMsr(uint index, ulong value) => ToOutcome(_cpu.WriteCarriedMsr(index, value));

    /// <summary>The guest's time-stamp counter, as the hypervisor counts it.</summary>
    public ulong ReadTsc() => _transfer.ReadMsr(TimeStampCounter);

    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        if (_machine.BackendVm is IWideAtomics atomics
            && atomics.TryCompareExchange16(ref at, ref expected, desired, out bool exchanged))
        {
            return exchanged;
        }

        BeginExclusive();
        ref UInt128 target = ref System.Runtime.CompilerServices.Unsafe.As<byte, UInt128>(ref at);
        bool equal = target == expected;
        expected = target;
        target = equal ? desired : target;
        EndExclusive();
        return equal;
    }

    public void BeginExclusive() => _machine.Exclusion.Begin(_cpu);

    public void EndExclusive() => _machine.Exclusion.End(_cpu);

    /// <summary>What becomes of an access that no device is asked for: it was made before, or is not made here; null otherwise.</summary>
    private BusOutcome? WithoutDevice(bool wasMade, AccessKind kind, ulong address) => wasMade ? BusOutcome.Done
        : IsLeftToHypervisor(kind, address) ? BusOutcome.Refused
        : null;

    /// <summary>
    /// Behind the first instruction, what no device of the engine claims is the hypervisor's or an exit's, and the hypervisor makes
    /// that exit. The first instruction cannot go back; its access is refused only where the chip is inside the hypervisor.
    /// </summary>
    private bool IsLeftToHypervisor(AccessKind kind, ulong address)
    {
        if (!IsFirst && !_cpu.IsClaimed(kind, address))
        {
            return !Refuse(EmulationRefusal.LeftToHypervisor);
        }

        return HypervisorChips.Own(_machine.InterruptControllerMode, kind, address) && !_cpu.IsClaimed(kind, address)
            && !Refuse(EmulationRefusal.OwnedByHypervisor);
    }

    /// <summary>
    /// Whether what is the hypervisor's can be answered here all the same: model-specific registers that are plain state or the engine's
    /// local APIC's, the time-stamp counter, and waiting in HLT.
    /// </summary>
    /// <param name="needs">What the instruction needs; what a register needs is added.</param>
    private bool IsAnsweredHere(ref StateNeeds needs)
    {
        switch (needs & HypervisorState)
        {
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

    private static BusOutcome ToOutcome(MsrOutcome outcome) => outcome switch
    {
        MsrOutcome.Handled => BusOutcome.Done,
        MsrOutcome.GeneralProtection => BusOutcome.GeneralProtection,
        _ => BusOutcome.Refused,
    };

    private bool Refuse(EmulationRefusal reason)
    {
        Refusal = reason;
        return false;
    }

    private BusOutcome Finish(AccessKind kind, ulong address, ulong value, Span<byte> data, BusOutcome outcome)
    {
        for (int i = 0; i < data.Length; i++)
        {
            data[i] = (byte)(value >> (i * 8));
        }

        return Finish(kind, address, value, data.Length, outcome);
    }

    private BusOutcome Finish(AccessKind kind, ulong address, ulong value, int length, BusOutcome outcome)
    {
        DeviceAccess access = new(kind, address, length, AccessLog.Truncate(value, length));
        access = outcome == BusOutcome.Pending && access.IsRead ? access with { Data = 0 } : access;
        switch (outcome)
        {
            case BusOutcome.Done:
                Accesses.Record(access);
                break;
            case BusOutcome.Pending:
                Accesses.Suspend(access);
                break;
            default:
                Refusal = EmulationRefusal.RefusedByDevice;
                break;
        }

        return outcome;
    }

    private static ulong ToValue(ReadOnlySpan<byte> data)
    {
        ulong value = 0;
        data.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return value;
    }
}
