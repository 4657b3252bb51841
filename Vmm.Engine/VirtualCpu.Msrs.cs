// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Engine;

/// <content>
/// Model-specific registers that the hypervisor hands over: registered handlers, then the registers that the engine keeps, then
/// what is known about a register, then the policy for unknown ones.
/// </content>
public sealed partial class VirtualCpu
{
    private const int WidestLinear = 57;
    private const int WidestPhysical = 52;

    private MsrFile? _msrFile;
    private CpuDefinition? _msrProcessor;
    private UnknownMsrs? _knownMsrs;
    private ulong _msrTicks;

    private Next HandleMsr(IBackendVcpu backend)
    {
        MsrExit msr = _exit.Msr;
        bool isWrite = _exit.Code == ExitCode.Wrmsr;
        MsrAnswer answer = AnswerMsr(backend, msr, isWrite, out ulong value);
        if (_machine.MsrAccesses.Record(msr.Index, isWrite, answer))
        {
            EngineLog.MsrAccess(_machine.Log, _machine.Name, MsrRegistry.NameOf(msr.Index), isWrite, answer);
        }

        if (answer == MsrAnswer.Embedder)
        {
            return Next.Return;
        }

        bool isFault = answer is MsrAnswer.Fault or MsrAnswer.Refused;
        backend.Fulfill(isFault ? 0 : value, isFault ? MsrOutcome.GeneralProtection : MsrOutcome.Handled);
        return Next.Continue;
    }

    private MsrAnswer AnswerMsr(IBackendVcpu backend, in MsrExit msr, bool isWrite, out ulong value)
    {
        value = 0;
        if (_machine.MsrTable.TryFind(msr.Index.Value, out RangeTable<IMsrHandler>.Entry entry))
        {
            MsrOutcome outcome = isWrite
                ? entry.Value.Write(this, msr.Index, msr.Value)
                : entry.Value.Read(this, msr.Index, out value);
            if (outcome != MsrOutcome.Unhandled)
            {
                return Answered(outcome, IsChips(msr.Index) ? MsrAnswer.Chip : MsrAnswer.Handler);
            }

            value = 0;
        }

        if (_machine.Options.EngineMsrs && TryAnswerByEngine(backend, msr, isWrite, out MsrAnswer answer, out value))
        {
            return answer;
        }

        _unclaimedMsrs++;
        value = 0;
        return _machine.Options.UnclaimedMsr switch
        {
            UnclaimedMsr.Exit => MsrAnswer.Embedder,
            UnclaimedMsr.GeneralProtection => MsrAnswer.Fault,
            _ => MsrAnswer.Policy,
        };
    }

    private bool TryAnswerByEngine(IBackendVcpu backend, in MsrExit msr, bool isWrite, out MsrAnswer answer, out ulong value)
    {
        MsrFile file = _msrFile ?? MakeMsrs();
        value = 0;
        MsrOutcome outcome = MsrOutcome.Unhandled;
        answer = MsrAnswer.Ours;
        if (MsrRegistry.TryFind(msr.Index, out MsrDescription description))
        {
            switch (description.Layer)
            {
                case MsrLayer.Ours when msr.Reason == MsrExitReason.Filtered && !_machine.MsrOwners.IsEngines(backend, msr.Index):
                    outcome = AskHypervisor(backend, description, msr, isWrite, out value);
                    answer = MsrAnswer.Hypervisor;
                    break;
                case MsrLayer.Ours:
                    ulong ticks = Ticks();
                    outcome = isWrite ? file.Write(msr.Index, msr.Value, ticks) : file.Read(msr.Index, ticks, out value);
                    if (outcome == MsrOutcome.Handled)
                    {
                        _machine.MsrOwners.NoteEngines(msr.Index);
                    }

                    break;
                case MsrLayer.Hypervisor when isWrite && msr.Reason == MsrExitReason.Refused && IsBadValue(description, msr.Value):
                    outcome = MsrOutcome.GeneralProtection;
                    break;
                case MsrLayer.Policy:
                    outcome = isWrite ? _knownMsrs!.Write(msr.Index, msr.Value) : _knownMsrs!.Read(msr.Index, out value);
                    answer = MsrAnswer.Policy;
                    break;
                default:
                    break;
            }
        }

        answer = Answered(outcome, answer);
        return outcome != MsrOutcome.Unhandled;
    }

    /// <summary>
    /// Carries out an access that only the filter kept from the hypervisor, on a register that it keeps. The guest's rules are looked
    /// at here: the hypervisor takes more from a VM's owner than from the guest.
    /// </summary>
    private static MsrOutcome AskHypervisor(
        IBackendVcpu backend, in MsrDescription description, in MsrExit msr, bool isWrite, out ulong value)
    {
        value = 0;
        bool isDone = isWrite
            ? MsrChecks.IsAccepted(description, msr.Value, WidestLinear, WidestPhysical) && backend.TrySetMsr(msr.Index, msr.Value)
            : backend.TryGetMsr(msr.Index, out value);
        return isDone ? MsrOutcome.Handled : MsrOutcome.GeneralProtection;
    }

    /// <summary>
    /// Whether the hypervisor refused a value and not the register, which no policy for unknown registers changes: the guest's
    /// processor has the register, or nobody's takes such a value.
    /// </summary>
    private bool IsBadValue(in MsrDescription description, ulong value) =>
        description.Rule == MsrRule.Efer
        || (description.Features.Length > 0 && description.Features.Split(' ').Any(_msrProcessor!.Has))
        || !MsrChecks.IsAccepted(description, value, WidestLinear, WidestPhysical);

    private static MsrAnswer Answered(MsrOutcome outcome, MsrAnswer answer) =>
        outcome == MsrOutcome.GeneralProtection ? MsrAnswer.Refused : answer;

    private static bool IsChips(MsrIndex index) =>
        MsrRegistry.TryFind(index, out MsrDescription description) && description.Layer == MsrLayer.Chip;

    /// <summary>Reads a register for a transfer of state, from whoever has it; the caller owns the vCPU.</summary>
    private bool TryGetMsrOwned(IBackendVcpu backend, MsrIndex index, out ulong value) =>
        _machine.Options.EngineMsrs && _machine.MsrOwners.IsEngines(backend, index)
            ? (_msrFile ?? MakeMsrs()).TrySave(index, Ticks(), out value)
            : backend.TryGetMsr(index, out value);

    /// <summary>Writes a register for a transfer of state, at whoever has it; the caller owns the vCPU.</summary>
    private bool TrySetMsrOwned(IBackendVcpu backend, MsrIndex index, ulong value) =>
        _machine.Options.EngineMsrs && _machine.MsrOwners.IsEngines(backend, index)
            ? (_msrFile ?? MakeMsrs()).TryRestore(index, value, Ticks())
            : backend.TrySetMsr(index, value);

    /// <summary>The registers depend on the processor that the guest sees: they begin anew with another one.</summary>
    private void ForgetMsrs()
    {
        _msrFile = null;
        _knownMsrs = null;
        _msrProcessor = null;
    }

    /// <summary>INIT leaves model-specific registers as they are (Intel SDM volume 3, processor state after reset).</summary>
    private void ResetMsrs(bool initOnly)
    {
        if (!initOnly)
        {
            _msrFile?.Reset();
        }
    }

    private MsrFile MakeMsrs()
    {
        CpuDefinition definition = new(_cpuidAnswers);
        ulong frequency = TscFrequencyOf(definition);
        _msrTicks = frequency;
        _msrProcessor = definition;
        _knownMsrs = new UnknownMsrs(UnknownMsrPolicy.Ask, definition.Vendor);
        return _msrFile = new MsrFile(new MsrFileOptions { Definition = definition, TscFrequency = frequency });
    }

    /// <summary>A counter at the guest's rate, for a hypervisor that has no TSC; at 1 GHz where the rate is not known.</summary>
    private ulong Ticks()
    {
        const ulong Default = 1_000_000_000;
        UInt128 ticks = (UInt128)(ulong)Stopwatch.GetTimestamp() * (_msrTicks == 0 ? Default : _msrTicks) / (ulong)Stopwatch.Frequency;
        return (ulong)ticks;
    }

    /// <summary>The TSC's rate as CPUID tells it (Intel SDM volume 2, CPUID leaves 0x15 and 0x16); 0 when it does not.</summary>
    private static ulong TscFrequencyOf(CpuDefinition definition)
    {
        const ulong Megahertz = 1_000_000;
        if (definition.TryGet(0x15, 0, out Abstractions.Cpuid.CpuidEntry crystal) && crystal is { Eax: not 0, Ebx: not 0, Ecx: not 0 })
        {
            return (ulong)((UInt128)crystal.Ecx * crystal.Ebx / crystal.Eax);
        }

        return definition.TryGet(0x16, 0, out Abstractions.Cpuid.CpuidEntry rate) ? (rate.Eax & 0xffff) * Megahertz : 0;
    }
}
