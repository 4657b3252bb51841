// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Time;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Machine;

/// <summary>One guest (<c>struct vm</c>).</summary>
/// <remarks>
/// What a VM can do beyond this contract shows in optional interfaces: test with <c>vm is IDirtyPageTracking</c> and the
/// like. Disposing a VM stops its vCPUs, waits until they have left the guest and frees everything
/// (<c>vm_destroy</c>); afterwards members throw <see cref="ObjectDisposedException"/>.
/// </remarks>
[VmmKernelSymbol("vm")]
[VmmKernelSymbol("vm_destroy")]
public interface IVirtualMachine : IDisposable
{
    /// <summary>The VM's name (<c>vmm_kstats_t</c>).</summary>
    [VmmKernelSymbol("vmm_kstats")]
    [VmmKernelSymbol("vmm_kstats_t")]
    [VmmKernelSymbol("vmm_kstats.vk_name")]
    string Name { get; }

    /// <summary>How many vCPUs the VM may have; those numbered 0 to this minus 1 exist from the beginning.</summary>
    [VmmKernelSymbol("vm_get_maxcpus")]
    int MaxCpus { get; }

    /// <summary>How the vCPUs are arranged. Any thread.</summary>
    /// <exception cref="VmmException">
    /// On setting, EINVAL: more threads in all than <see cref="MaxCpus"/>; EBUSY: a vCPU has run whose CPUID the hypervisor no
    /// longer changes.
    /// </exception>
    /// <exception cref="InvalidOperationException">On setting: a handler that one of the VM's vCPUs calls asks.</exception>
    [VmmKernelSymbol("vm_get_topology")]
    [VmmKernelSymbol("vm_set_topology")]
    CpuTopology Topology { get; set; }

    /// <summary>Who has the interrupt controllers.</summary>
    InterruptControllerMode InterruptControllerMode { get; }

    /// <summary>The guest-physical memory.</summary>
    [VmmKernelSymbol("vm_get_vmspace")]
    IGuestMemory Memory { get; }

    /// <summary>Segments and where they lie.</summary>
    IMemoryMap MemoryMap { get; }

    /// <summary>The port handlers.</summary>
    IPortSpace Ports { get; }

    /// <summary>The handlers of memory-mapped input and output.</summary>
    IMmioSpace Mmio { get; }

    /// <summary>The MSR handlers.</summary>
    IMsrSpace Msrs { get; }

    /// <summary>A vCPU.</summary>
    /// <param name="id">Its number.</param>
    /// <returns>The vCPU.</returns>
    /// <exception cref="VmmException">EINVAL: the number is not below <see cref="MaxCpus"/>.</exception>
    IVirtualCpu GetVcpu(VcpuId id);

    /// <summary>The vCPU that an APIC identifier means: the one with the same number.</summary>
    /// <param name="apicId">The identifier.</param>
    /// <returns>The vCPU's number.</returns>
    [VmmKernelSymbol("vm_apicid2vcpuid")]
    VcpuId ApicIdToVcpuId(int apicId);

    /// <summary>The vCPUs that may run. Any thread.</summary>
    [VmmKernelSymbol("vm_active_cpus")]
    VcpuSet ActiveVcpus { get; }

    /// <summary>The vCPUs that are stopped for a debugger. Any thread.</summary>
    [VmmKernelSymbol("vm_debug_cpus")]
    VcpuSet DebugVcpus { get; }

    /// <summary>The vCPUs that have taken note of a suspension. Any thread.</summary>
    [VmmKernelSymbol("vm_suspended_cpus")]
    VcpuSet SuspendedVcpus { get; }

    /// <summary>Why the VM is suspended; <see cref="SuspendReason.None"/> while it is not.</summary>
    SuspendReason SuspendReason { get; }

    /// <summary>
    /// Suspends the VM: every vCPU leaves the guest with a Suspended exit. The first caller's reason stands. Any thread.
    /// </summary>
    /// <param name="reason">Why; not None.</param>
    /// <exception cref="VmmException">EINVAL: no such reason; EALREADY: the VM is suspended already.</exception>
    [VmmKernelSymbol("vm_suspend")]
    void Suspend(SuspendReason reason);

    /// <summary>Stops every active vCPU for a debugger. Any thread.</summary>
    void SuspendVcpusForDebug();

    /// <summary>Lets every vCPU that is stopped for a debugger go on. Any thread.</summary>
    void ResumeVcpusFromDebug();

    /// <summary>
    /// Takes ownership of every vCPU, in order, making those in the guest leave it. Any thread, but not from a handler. Tokens of one thread
    /// nest.
    /// </summary>
    /// <returns>The token, for this thread.</returns>
    /// <exception cref="InvalidOperationException">
    /// A handler that one of the VM's vCPUs calls asks. Two that waited for each other's vCPU would do so for ever: a handler leaves it to the
    /// thread that runs the vCPU, behind the run.
    /// </exception>
    IVcpuFreeze FreezeVcpus();

    /// <summary>
    /// Stops the timers of the VM's devices, the VM's time and the paravirtual clock; due times are kept. The guest's time-stamp counter goes
    /// on.
    /// </summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <exception cref="VmmException">EALREADY: it is paused.</exception>
    [VmmKernelSymbol("vm_pause_instance")]
    void Pause(IVcpuFreeze freeze);

    /// <summary>
    /// Starts the timers of the VM's devices and the clocks again, which go on where they stopped. A guest that uses the paravirtual clock is
    /// told that it was stopped.
    /// </summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <exception cref="VmmException">EALREADY: it is not paused.</exception>
    [VmmKernelSymbol("vm_resume_instance")]
    void Resume(IVcpuFreeze freeze);

    /// <summary>Whether the VM is paused. Any thread.</summary>
    [VmmKernelSymbol("vm_is_paused")]
    bool IsPaused { get; }

    /// <summary>
    /// Resets the VM and keeps its RAM, segments, CPUID, topology and handlers; device mappings, vCPU state, events and
    /// the suspension are dropped, and every vCPU must be activated again.
    /// </summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="flags">How.</param>
    /// <exception cref="VmmException">
    /// EBUSY: an active vCPU is not suspended and suspension is not forced, or a port has a driver's hook; otherwise what the host refuses of
    /// the fresh VM, as ENOMEM. The VM is as it was then.
    /// </exception>
    [VmmKernelSymbol("vm_reinit")]
    void Reinitialize(IVcpuFreeze freeze, ReinitializeFlags flags = ReinitializeFlags.None);

    /// <summary>A host time as the guest counts it: from the VM's boot.</summary>
    /// <param name="hostTime">Host time.</param>
    /// <returns>Time since boot; negative for times before it.</returns>
    [VmmKernelSymbol("vm_normalize_hrtime")]
    VmTime Normalize(HostTime hostTime);

    /// <summary>A time since the VM's boot as the host counts it.</summary>
    /// <param name="time">Time since boot.</param>
    /// <returns>Host time.</returns>
    [VmmKernelSymbol("vm_denormalize_hrtime")]
    HostTime Denormalize(VmTime time);
}
