// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;

namespace Vmm.Abstractions.Vcpu;

/// <summary>One processor of a VM.</summary>
/// <remarks>
/// A vCPU is driven by one thread at a time, the one that owns it. Members that need ownership take it for the call when
/// nobody has it, and make another owner that is in the guest leave it; hold it across several calls with
/// <see cref="IVcpuScheduling.Acquire"/>.
/// </remarks>
public interface IVirtualCpu : IVcpuRegisters, IVcpuEvents, IVcpuScheduling
{
    /// <summary>The vCPU's number.</summary>
    VcpuId Id { get; }

    /// <summary>The VM.</summary>
    IVirtualMachine Machine { get; }

    /// <summary>Allows the vCPU to run and to receive interrupts. Needs ownership.</summary>
    /// <exception cref="VmmException">EBUSY: it is active, or the VM is suspended.</exception>
    [VmmKernelSymbol("vm_activate_cpu")]
    void Activate();

    /// <summary>
    /// Executes the guest on the calling thread until there is something that only the caller can decide. Needs
    /// ownership.
    /// </summary>
    /// <remarks>
    /// Allocates nothing. A pending exit is reported again, without the guest having run, until it is fulfilled or
    /// discarded. An exception of a handler comes out; what the guest did is then pending, or is dealt with by the next run.
    /// </remarks>
    /// <param name="entry">What to do before the guest goes on.</param>
    /// <returns>
    /// The exit, which is the vCPU's one record: valid until the next run, and until the VM is reinitialized, which clears it. Copy it where
    /// another thread may do either.
    /// </returns>
    /// <exception cref="VmmException">
    /// EINVAL: the vCPU is not active, or the answer does not match what is pending; EBUSY: the VM is paused, and
    /// <see cref="VirtualMachineOptions.PauseRefusesRuns"/> is set; otherwise what the host refused.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// The calling thread has frozen the VM's vCPUs, or a handler that this vCPU calls asks.
    /// </exception>
    [VmmKernelSymbol("vm_run")]
    ref readonly VmExit Run(in VmEntry entry);

    /// <summary>
    /// The last exit; valid until the next run or a reinitialization, after which it is empty. Needs ownership: hold it while the record is
    /// looked at, where another thread may run the vCPU or reinitialize the VM.
    /// </summary>
    [VmmKernelSymbol("vm_exitinfo")]
    ref readonly VmExit Exit { get; }

    /// <summary>
    /// The data of a pending exit where it is more than one value: the elements of a string input or output. A window on
    /// the hypervisor's own page, valid until the next run. Needs ownership.
    /// </summary>
    Span<byte> ExitData { get; }

    /// <summary>What the vCPU has begun and not finished. Needs ownership.</summary>
    [VmmKernelSymbol("vm_vie_ctx")]
    PendingOperation Pending { get; }

    /// <summary>
    /// Retires an answered instruction without executing a further one, so that the vCPU's state is consistent. Needs
    /// ownership.
    /// </summary>
    /// <returns>
    /// <see langword="true"/> when nothing is pending any more; <see langword="false"/> when the instruction needs a
    /// further answer, which <see cref="Exit"/> then asks for.
    /// </returns>
    /// <exception cref="VmmException">EBUSY: an exit waits for its answer.</exception>
    bool CompletePending();

    /// <summary>What CPUID answers. Needs ownership.</summary>
    /// <exception cref="VmmException">
    /// On setting, EBUSY: the hypervisor accepts no change once the vCPU has run; E2BIG or EINVAL: it refuses the entries.
    /// </exception>
    [VmmKernelSymbol("vm_cpuid_config")]
    [VmmKernelSymbol("vm_get_cpuid")]
    [VmmKernelSymbol("vm_set_cpuid")]
    CpuidConfiguration Cpuid { get; set; }

    /// <summary>Whether a capability is on. Needs ownership.</summary>
    /// <param name="capability">The capability.</param>
    /// <returns>Whether it is on.</returns>
    /// <exception cref="VmmException">EINVAL: no such capability; ENOENT: the backend does not have it.</exception>
    [VmmKernelSymbol("vm_get_capability")]
    bool GetCapability(VcpuCapability capability);

    /// <summary>Turns a capability on or off. Needs ownership.</summary>
    /// <param name="capability">The capability.</param>
    /// <param name="enabled">Whether it shall be on.</param>
    /// <exception cref="VmmException">EINVAL: no such capability; ENOENT: the backend does not have it.</exception>
    [VmmKernelSymbol("vm_set_capability")]
    void SetCapability(VcpuCapability capability, bool enabled);

    /// <summary>What was counted. Any thread.</summary>
    VcpuCounters Counters { get; }
}
