// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.State;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine;

/// <content>What the classes of state need of a vCPU; its owner.</content>
public sealed partial class VirtualCpu
{
    /// <summary>Whether the hypervisor lets the time-stamp counter differ from its own count.</summary>
    internal bool TakesTscOffset => Backend is IBackendVcpuTime { TakesTscOffset: true };

    /// <summary>The rate of the time-stamp counter in Hz; 0 when the hypervisor does not tell.</summary>
    internal long TscFrequency => Backend is IBackendVcpuTime time ? time.TscFrequency : 0;

    /// <summary>Gives the whole offset of the time-stamp counter, if the hypervisor tells it.</summary>
    internal bool TryGetWholeTscOffset(out ulong offset) => Backend.TryGetTscOffset(out offset);

    /// <summary>Gives what this vCPU's time-stamp counter is ahead of one that was never written.</summary>
    internal bool TryGetOwnTscOffset(out ulong offset)
    {
        offset = 0;
        if (_machine.FindBootTscOffset(this) is not { } boot || !Backend.TryGetTscOffset(out ulong whole))
        {
            return false;
        }

        offset = unchecked(whole - boot);
        return true;
    }

    /// <summary>Puts this vCPU's time-stamp counter ahead of one that was never written.</summary>
    internal bool TrySetOwnTscOffset(ulong offset) =>
        TryGetOwnTscOffset(out ulong present) && (present == offset || TryMoveTsc(unchecked(offset - present)));

    /// <summary>Moves the time-stamp counter, where the hypervisor has this vCPU; where it has not, there is nothing to move.</summary>
    internal bool TryMoveTsc(ulong by)
    {
        if (_backend is not { } backend)
        {
            return true;
        }

        return backend.TryGetTscOffset(out ulong whole)
            && backend is IBackendVcpuTime time
            && time.TrySetTscOffset(unchecked(whole + by));
    }

    /// <summary>Reads the engine's local APIC in the class's layout.</summary>
    internal VmmDataResult ReadLocalApicData(VmmDataRequest request) => LocalApicOfOwner().Read(request);

    /// <summary>Takes the engine's local APIC from the class's layout; the hypervisor learns of task priority and base.</summary>
    internal VmmDataResult WriteLocalApicData(VmmDataRequest request)
    {
        LocalApic apic = LocalApicOfOwner();
        ulong before = apic.ApicBase;
        VmmDataResult result = apic.Write(request);
        if (result.Error == VmmError.None)
        {
            if (apic.ApicBase != before)
            {
                PushApicBase(Backend, apic);
            }

            AfterApicWrite(apic);
        }

        return result;
    }

    /// <summary>Says what keeps a field from being an event whose delivery was cut short; null when nothing does.</summary>
    internal static string? ProblemOf(EventInformation information)
    {
        const int Exceptions = 32;
        return information switch
        {
            { IsValid: false } => null,
            { Type: EventType.Nmi, Vector: not (byte)ExceptionVector.Nmi } => $"an NMI has vector 2, not {information.Vector}",
            { Type: EventType.HardwareException, Vector: >= Exceptions } => $"an exception's vector is below 32, not {information.Vector}",
            { HasReservedBits: true } => $"reserved bits are set in 0x{information.Value:x}",
            _ => null,
        };
    }

    /// <summary>Sets or takes back the NMI that waits.</summary>
    internal void SetNmiPending(bool pending) => SetPending(ref _nmiPending, pending);

    /// <summary>Sets or takes back the external interrupt that waits.</summary>
    internal void SetExternalInterruptPending(bool pending) => SetPending(ref _externalInterruptPending, pending);

    /// <summary>Replaces the exception that waits; one that is not valid is none.</summary>
    internal void SetExceptionEvent(EventInformation information)
    {
        _exceptionEvent = information.IsValid ? information : EventInformation.None;
        Interlocked.Exchange(ref _attention, 1);
    }

    private void SetPending(ref bool flag, bool pending)
    {
        Volatile.Write(ref flag, pending);
        Interlocked.Exchange(ref _attention, 1);
    }
}
