// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;

namespace Vmm.Abstractions.Vcpu;

/// <summary>Events on their way into a vCPU.</summary>
public interface IVcpuEvents
{
    /// <summary>Queues an exception for the next entry and ends an interrupt shadow. Needs ownership.</summary>
    /// <param name="exception">The exception.</param>
    /// <exception cref="VmmException">
    /// EINVAL: the vector is above 31, or is the NMI's or the double fault's; EBUSY: an exception is queued already.
    /// </exception>
    [VmmKernelSymbol("vm_inject_exception")]
    void Inject(in GuestException exception);

    /// <summary>Records the event whose delivery an exit cut short. Needs ownership.</summary>
    /// <param name="information">The event; one that is not valid extinguishes what was recorded.</param>
    /// <exception cref="VmmException">
    /// EINVAL: an NMI with a vector other than 2, an exception with a vector above 31, or reserved bits.
    /// </exception>
    [VmmKernelSymbol("vm_exit_intinfo")]
    void SetExitEvent(EventInformation information);

    /// <summary>
    /// Takes the event for the next entry: the recorded and the queued one combined, into a double fault where the
    /// architecture says so; a third makes the VM suspend with a triple fault. Needs ownership.
    /// </summary>
    /// <param name="information">The event.</param>
    /// <returns>Whether there is one.</returns>
    [VmmKernelSymbol("vm_entry_intinfo")]
    bool TryTakeEntryEvent(out EventInformation information);

    /// <summary>The recorded and the queued event, left where they are. Needs ownership.</summary>
    /// <returns>The event cut short by an exit, and the queued exception.</returns>
    [VmmKernelSymbol("vm_get_intinfo")]
    (EventInformation ExitEvent, EventInformation Exception) GetPendingEvents();

    /// <summary>Makes an NMI pending; several collapse into one. Any thread.</summary>
    [VmmKernelSymbol("vm_inject_nmi")]
    void InjectNmi();

    /// <summary>Whether an NMI is pending. Any thread.</summary>
    [VmmKernelSymbol("vm_nmi_pending")]
    bool IsNmiPending { get; }

    /// <summary>Notes that the pending NMI was delivered. Needs ownership.</summary>
    /// <exception cref="InvalidOperationException">None is pending.</exception>
    [VmmKernelSymbol("vm_nmi_clear")]
    void ClearNmi();

    /// <summary>Makes an 8259-style external interrupt pending. Any thread.</summary>
    [VmmKernelSymbol("vm_inject_extint")]
    void InjectExternalInterrupt();

    /// <summary>Whether an external interrupt is pending. Any thread.</summary>
    [VmmKernelSymbol("vm_extint_pending")]
    bool IsExternalInterruptPending { get; }

    /// <summary>Notes that the pending external interrupt was delivered. Needs ownership.</summary>
    /// <exception cref="InvalidOperationException">None is pending.</exception>
    [VmmKernelSymbol("vm_extint_clear")]
    void ClearExternalInterrupt();

    /// <summary>Makes an INIT pending and drops a pending start-up interrupt. Any thread.</summary>
    [VmmKernelSymbol("vm_inject_init")]
    void InjectInit();

    /// <summary>Makes a start-up interrupt pending. Any thread.</summary>
    /// <param name="vector">The page at which the vCPU begins.</param>
    [VmmKernelSymbol("vm_inject_sipi")]
    void InjectSipi(byte vector);

    /// <summary>Where the vCPU is in the INIT and start-up sequence. Any thread.</summary>
    /// <param name="sipiVector">The vector of the last start-up interrupt.</param>
    /// <returns>The state.</returns>
    [VmmKernelSymbol("vm_get_run_state")]
    VcpuRunState GetRunState(out byte sipiVector);

    /// <summary>Sets where the vCPU is in the INIT and start-up sequence, and wakes it. Any thread.</summary>
    /// <param name="state">The state.</param>
    /// <param name="sipiVector">The vector of a pending start-up interrupt.</param>
    /// <exception cref="VmmException">EINVAL: unknown bits.</exception>
    [VmmKernelSymbol("vm_set_run_state")]
    void SetRunState(VcpuRunState state, byte sipiVector = 0);

    /// <summary>Whether INIT or start-up processing must come before the guest executes. Any thread.</summary>
    [VmmKernelSymbol("vcpu_run_state_pending")]
    bool IsRunStatePending { get; }
}
