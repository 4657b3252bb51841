// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Vcpu;

/// <summary>Who has a vCPU, what it spends its time on, and how to get its attention.</summary>
public interface IVcpuScheduling
{
    /// <summary>Who has the vCPU. Any thread.</summary>
    /// <param name="hostCpu">The host CPU while the guest executes, else -1.</param>
    /// <returns>The state.</returns>
    [VmmKernelSymbol("vcpu_get_state")]
    VcpuState GetState(out int hostCpu);

    /// <summary>Whether the guest executes on it now. Any thread.</summary>
    [VmmKernelSymbol("vcpu_is_running")]
    bool IsRunning { get; }

    /// <summary>Changes who has the vCPU.</summary>
    /// <param name="state">The new state.</param>
    /// <param name="fromIdle">
    /// Whether to wait until the vCPU is idle first, making a running guest leave: this takes ownership, and a later transition to idle gives
    /// it back.
    /// </param>
    /// <exception cref="VmmException">
    /// EBUSY: there is no such transition, or to idle: this thread has not taken the vCPU by this member, but by a run, a token or
    /// <see cref="Acquire"/>, which give it back themselves.
    /// </exception>
    [VmmKernelSymbol("vcpu_set_state")]
    void SetState(VcpuState state, bool fromIdle);

    /// <summary>
    /// Takes ownership, waiting for another owner; disposing it, on the same thread, gives it back. Any thread. A handler that waits for
    /// another vCPU waits for as long as that one's handler runs: two that wait for each other do so until the VM is disposed.
    /// </summary>
    /// <returns>The ownership. On a thread that has it already, a nested one. Disposed on another thread, it throws and is as it was.</returns>
    /// <exception cref="ThreadInterruptedException">The thread was interrupted while it waited; it has taken nothing.</exception>
    IDisposable Acquire();

    /// <summary>
    /// Keeps the guest from executing until it is disposed: a run returns at once with a RequestIdle exit. Any thread;
    /// blocks add up.
    /// </summary>
    /// <returns>The block.</returns>
    [VmmKernelSymbol("vcpu_block_run")]
    [VmmKernelSymbol("vcpu_unblock_run")]
    IDisposable BlockRun();

    /// <summary>Whether the run loop should return to its caller soon. Any thread.</summary>
    [VmmKernelSymbol("vcpu_should_yield")]
    bool ShouldYield { get; }

    /// <summary>
    /// Makes the present run, or the next one if there is none, return with a Bogus exit. Several requests may collapse
    /// into one; none is lost. Any thread.
    /// </summary>
    void RequestYield();

    /// <summary>
    /// Makes the vCPU notice a change that was made before: wakes it if it sleeps, makes it leave the guest if it runs.
    /// No notification is lost. Any thread.
    /// </summary>
    [VmmKernelSymbol("vcpu_notify_event")]
    void Notify();

    /// <summary>As <see cref="Notify()"/>, by the given means.</summary>
    /// <param name="notification">The means.</param>
    [VmmKernelSymbol("vcpu_notify_event_type")]
    void Notify(VcpuNotification notification);

    /// <summary>
    /// What the backend asks right before the guest executes: is there a reason not to enter? If so the exit record says
    /// which. Needs ownership.
    /// </summary>
    /// <param name="rip">The instruction pointer for the exit record.</param>
    /// <returns>Whether to leave at once.</returns>
    [VmmKernelSymbol("vcpu_entry_bailout_checks")]
    bool CheckEntryBailout(ulong rip);

    /// <summary>Stops the vCPU for a debugger: the next run returns a Debug exit. Any thread.</summary>
    /// <exception cref="VmmException">EINVAL: it is not active.</exception>
    [VmmKernelSymbol("vm_suspend_cpu")]
    void SuspendForDebug();

    /// <summary>Lets a vCPU that is stopped for a debugger go on. Any thread.</summary>
    /// <exception cref="VmmException">EINVAL: it is not stopped.</exception>
    [VmmKernelSymbol("vm_resume_cpu")]
    void ResumeFromDebug();

    /// <summary>What is to be added to the host's TSC to get the guest's, modulo 2 to the 64.</summary>
    /// <param name="physicalAdjust">Whether to include the skew of the present host CPU; always 0 on Linux.</param>
    /// <returns>The offset.</returns>
    /// <exception cref="VmmException">ENOENT: the hypervisor does not tell.</exception>
    [VmmKernelSymbol("vcpu_tsc_offset")]
    ulong GetTscOffset(bool physicalAdjust);

    /// <summary>Changes what the vCPU's time is counted as. Needs ownership.</summary>
    /// <param name="state">The new state, other than the present one.</param>
    [VmmKernelSymbol("vcpu_ustate_change")]
    void ChangeTimeState(VcpuTimeState state);

    /// <summary>The vCPU's time by what it was spent on. Any thread.</summary>
    [VmmKernelSymbol("vmm_kstat_update_vcpu")]
    VcpuTimes Times { get; }
}
