// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Msr;

namespace Vmm.Software;

/// <content>
/// Model-specific registers: those that instructions work on are the executor's, most others plain state here, the local APIC's and
/// unknown ones the engine's.
/// </content>
internal sealed partial class SoftwareVcpu
{
    private const uint TimeStampCounterMsr = 0x10;
    private const uint ApicBaseMsr = 0x1b;
    private const ulong ApicBaseEnabled = 1 << 11;

    private MsrFile _msrs;
    private WaitingFor _waiting;
    private PendingMsr _msr;
    private ulong _apicBase = 0xfee00800;
    private ulong _hypercallResult;

    /// <summary>The guest reads a register that the executor does not have.</summary>
    public BusOutcome ReadMsr(uint index, out ulong value)
    {
        value = 0;
        if (TakeMsrAnswer(index, isWrite: false, out BusOutcome outcome))
        {
            value = _msr.Value;
            return outcome;
        }

        if (!IsHandledHere(index, isWrite: false))
        {
            return Ask(index, isWrite: false, 0, MsrExitReason.Filtered);
        }

        if (index == ApicBaseMsr && !_vm.Options.ApicMsrExits)
        {
            value = _apicBase;
            return BusOutcome.Done;
        }

        if (index == TimeStampCounterMsr && !IsTimeExact())
        {
            return BusOutcome.Refused;
        }

        MsrOutcome answer = _msrs.Read(new MsrIndex(index), _vm.Clock.Ticks, out value);
        return answer == MsrOutcome.Handled ? BusOutcome.Done : Ask(index, isWrite: false, 0, ReasonOf(answer));
    }

    /// <summary>The guest writes a register that the executor does not have.</summary>
    public BusOutcome WriteMsr(uint index, ulong value)
    {
        if (TakeMsrAnswer(index, isWrite: true, out BusOutcome outcome))
        {
            return outcome;
        }

        if (!IsHandledHere(index, isWrite: true))
        {
            return Ask(index, isWrite: true, value, MsrExitReason.Filtered);
        }

        if (index == ApicBaseMsr && !_vm.Options.ApicMsrExits)
        {
            return WriteApicBase(value);
        }

        if (index == TimeStampCounterMsr && !IsTimeExact())
        {
            return BusOutcome.Refused;
        }

        MsrOutcome answer = _msrs.Write(new MsrIndex(index), value, _vm.Clock.Ticks);
        return answer == MsrOutcome.Handled ? BusOutcome.Done : Ask(index, isWrite: true, value, ReasonOf(answer));
    }

    /// <inheritdoc/>
    public bool TryGetMsr(MsrIndex index, out ulong value)
    {
        if (index.Value == ApicBaseMsr)
        {
            value = _apicBase;
            return true;
        }

        return SoftwareMsrs.TryGet(State, index.Value, out value) || _msrs.TrySave(index, _vm.Clock.Ticks, out value);
    }

    /// <inheritdoc/>
    public bool TrySetMsr(MsrIndex index, ulong value)
    {
        if (index.Value == ApicBaseMsr)
        {
            _apicBase = value;
            return true;
        }

        return SoftwareMsrs.TrySet(State, index.Value, value) ?? _msrs.TryRestore(index, value, _vm.Clock.Ticks);
    }

    /// <summary>
    /// Where the engine has no local APIC behind it, IA32_APIC_BASE is a register that CPUID's APIC bit follows (Intel SDM volume 3, section
    /// 12.4.3). Its x2APIC mode is nobody's then.
    /// </summary>
    private BusOutcome WriteApicBase(ulong value)
    {
        const ulong Writable = ApicBaseEnabled | 1 << 8;
        ulong address = (1UL << State.PhysicalAddressBits) - 0x1000;
        if ((value & ~(Writable | address)) != 0)
        {
            return BusOutcome.GeneralProtection;
        }

        _apicBase = value;
        return BusOutcome.Done;
    }

    private static MsrExitReason ReasonOf(MsrOutcome outcome) =>
        outcome == MsrOutcome.GeneralProtection ? MsrExitReason.Refused : MsrExitReason.Unknown;

    private bool IsHandledHere(uint index, bool isWrite) =>
        _vm.Options.MsrFilter is not { } filter || filter.Allows(new MsrIndex(index), isWrite);

    private BusOutcome Ask(uint index, bool isWrite, ulong value, MsrExitReason reason)
    {
        const uint TscDeadline = 0x6e0;
        bool isExit = _vm.Options.MsrExits || reason == MsrExitReason.Filtered
            || (_vm.Options.ApicMsrExits && index is ApicBaseMsr or TscDeadline);
        if (!isExit)
        {
            return BusOutcome.GeneralProtection;
        }

        _waiting = WaitingFor.Msr;
        _msr = new PendingMsr(index, isWrite, value, reason);
        return BusOutcome.Pending;
    }

    /// <summary>The answer that user space gave, if this is the access that it gave it to.</summary>
    private bool TakeMsrAnswer(uint index, bool isWrite, out BusOutcome outcome)
    {
        outcome = _msr.Outcome == MsrOutcome.Handled ? BusOutcome.Done : BusOutcome.GeneralProtection;
        return _waiting == WaitingFor.Msr && _msr.IsAnswered && _msr.Index == index && _msr.IsWrite == isWrite;
    }

    private void Answer(ulong value, MsrOutcome outcome)
    {
        _hypercallResult = value;
        _msr = _msr with { IsAnswered = true, Outcome = outcome, Value = _msr.IsWrite ? _msr.Value : value };
    }

    private MsrFile MakeMsrs() => new(new MsrFileOptions
    {
        Definition = new CpuDefinition(_cpuid),
        ServesHypervisorLayer = true,
        TscFrequency = SoftwareClock.Frequency,
        Initial = SoftwareMsrs.Initial,
    });
}
