// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Backend;

/// <summary>A vCPU of a hypervisor.</summary>
/// <remarks>
/// <para>
/// Every member but <see cref="Kick"/> is called by the vCPU's owner only, and never while another thread is in
/// <see cref="Run"/>. Runs happen between <see cref="BeginRun"/> and <see cref="EndRun"/> on one thread.
/// </para>
/// <para>
/// An exit with <see cref="VmExit.IsPending"/> must be answered with <see cref="Fulfill"/> or dropped with
/// <see cref="Discard"/> before the next run. An answered instruction retires inside the next run or
/// <see cref="Complete"/>; it may then ask for a further answer, when one instruction makes several accesses.
/// </para>
/// <para>
/// While a read is pending or answered, registers show the state before the instruction; writes to them are held back and
/// take effect when the instruction has retired.
/// </para>
/// </remarks>
public interface IBackendVcpu : IDisposable
{
    /// <summary>The vCPU's number.</summary>
    VcpuId Id { get; }

    /// <summary>Prepares the calling thread for runs.</summary>
    void BeginRun();

    /// <summary>Undoes <see cref="BeginRun"/> on the same thread.</summary>
    void EndRun();

    /// <summary>
    /// Executes the guest until there is something that the hypervisor cannot do by itself, or somebody kicks. Allocates
    /// nothing.
    /// </summary>
    /// <param name="exit">Receives why; <see cref="ExitCode.Bogus"/> after a kick.</param>
    /// <exception cref="VmmException">EBUSY: an exit waits for its answer; otherwise what the host refused.</exception>
    [VmmKernelSymbol("vmi_run_func_t")]
    [VmmKernelSymbol("vmm_ops.vmrun")]
    void Run(ref VmExit exit);

    /// <summary>
    /// Whether <see cref="RunOne"/> stops behind one instruction of kernel mode. Fixed for the life of the vCPU.
    /// </summary>
    bool CanRunOne => false;

    /// <summary>
    /// As <see cref="Run"/>, but comes back behind one instruction of kernel mode; an event that is due is delivered before it. An
    /// instruction without an exit of its own ends in <see cref="ExitCode.Bogus"/>. In user mode it may be as <see cref="Run"/>.
    /// </summary>
    /// <param name="exit">Where the exit is described.</param>
    void RunOne(ref VmExit exit) => Run(ref exit);

    /// <summary>
    /// Makes the present run return, or the next one if there is none. Several kicks may collapse into one; none is lost.
    /// Any thread.
    /// </summary>
    void Kick();

    /// <summary>What the vCPU has begun and not finished.</summary>
    PendingOperation Pending { get; }

    /// <summary>
    /// The data of the last exit: elements of a string access, or for an unknown exit its raw bytes. Valid until the next
    /// run.
    /// </summary>
    Span<byte> ExitData { get; }

    /// <summary>
    /// Answers the pending exit: the value read, for MSRs with how the access ended, for hypercalls the result. For a
    /// string input the data is in <see cref="ExitData"/>. For writes the value is ignored.
    /// </summary>
    /// <param name="value">The value.</param>
    /// <param name="outcome">For MSRs how the access ended.</param>
    void Fulfill(ulong value = 0, MsrOutcome outcome = MsrOutcome.Handled);

    /// <summary>Retires an answered instruction without executing a further one.</summary>
    /// <param name="exit">Receives the further access that the instruction makes, if it does.</param>
    /// <returns>Whether nothing is pending any more.</returns>
    /// <exception cref="VmmException">EBUSY: an exit waits for its answer.</exception>
    bool Complete(ref VmExit exit);

    /// <summary>
    /// Drops what is pending or answered: registers, and memory that a string input would write, stay as the exit showed
    /// them; held-back writes take effect.
    /// </summary>
    void Discard();

    /// <summary>Reads a register.</summary>
    /// <param name="register">The register.</param>
    /// <returns>The value.</returns>
    /// <exception cref="VmmException">EINVAL: the backend cannot represent it.</exception>
    [VmmKernelSymbol("vmi_get_register_t")]
    [VmmKernelSymbol("vmm_ops.vmgetreg")]
    ulong GetRegister(RegisterName register);

    /// <summary>Writes a register.</summary>
    /// <param name="register">The register.</param>
    /// <param name="value">The value.</param>
    /// <exception cref="VmmException">EINVAL: the backend cannot represent it.</exception>
    [VmmKernelSymbol("vmi_set_register_t")]
    [VmmKernelSymbol("vmm_ops.vmsetreg")]
    void SetRegister(RegisterName register, ulong value);

    /// <summary>Reads the hidden part of a segment register.</summary>
    /// <param name="register">The register.</param>
    /// <returns>The descriptor.</returns>
    [VmmKernelSymbol("vmi_get_desc_t")]
    [VmmKernelSymbol("vmm_ops.vmgetdesc")]
    SegmentDescriptor GetSegmentDescriptor(RegisterName register);

    /// <summary>Writes the hidden part of a segment register.</summary>
    /// <param name="register">The register.</param>
    /// <param name="descriptor">The descriptor.</param>
    [VmmKernelSymbol("vmi_set_desc_t")]
    [VmmKernelSymbol("vmm_ops.vmsetdesc")]
    void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor);

    /// <summary>The general registers, RIP and RFLAGS.</summary>
    GeneralRegisters GeneralRegisters { get; set; }

    /// <summary>Copies the FPU image, a standard-format XSAVE area.</summary>
    /// <param name="destination">Receives the image.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="VmmException">ENOSPC: the destination is too short.</exception>
    int GetFpu(Span<byte> destination);

    /// <summary>Replaces the FPU image.</summary>
    /// <param name="source">A standard-format XSAVE area.</param>
    /// <exception cref="VmmException">ENOSPC or EINVAL, as for <see cref="IVcpuRegisters.SetFpu"/>.</exception>
    void SetFpu(ReadOnlySpan<byte> source);

    /// <summary>Reads an MSR without the guest's access rules.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> when the backend does not have it.</returns>
    [VmmKernelSymbol("vmi_get_msr_t")]
    [VmmKernelSymbol("vmm_ops.vmgetmsr")]
    bool TryGetMsr(MsrIndex index, out ulong value);

    /// <summary>Writes an MSR without the guest's access rules.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> when the backend does not have it or refuses the value.</returns>
    [VmmKernelSymbol("vmi_set_msr_t")]
    [VmmKernelSymbol("vmm_ops.vmsetmsr")]
    bool TrySetMsr(MsrIndex index, ulong value);

    /// <summary>
    /// What is to be added to the count that the hypervisor goes by, the host's TSC or a clock of its own, to get the guest's TSC, modulo 2
    /// to the 64.
    /// </summary>
    /// <param name="offset">The offset.</param>
    /// <returns><see langword="false"/> when the hypervisor does not tell.</returns>
    bool TryGetTscOffset(out ulong offset);

    /// <summary>
    /// Tells that the engine, executing for this vCPU, wrote guest memory with page tables possibly among it. A hypervisor that keeps
    /// tables derived from the guest's forgets them; others do nothing.
    /// </summary>
    void MemoryWritten();

    /// <summary>
    /// Forgets every translation that the processor or the hypervisor keeps for this vCPU, global ones included: the engine executed
    /// an instruction that invalidates them.
    /// </summary>
    void ForgetTranslations();

    /// <summary>Whether a capability is on.</summary>
    /// <param name="capability">The capability.</param>
    /// <returns>Whether it is on.</returns>
    /// <exception cref="VmmException">ENOENT: the backend does not have it.</exception>
    [VmmKernelSymbol("vmi_get_cap_t")]
    [VmmKernelSymbol("vmm_ops.vmgetcap")]
    bool GetCapability(VcpuCapability capability);

    /// <summary>Turns a capability on or off.</summary>
    /// <param name="capability">The capability.</param>
    /// <param name="enabled">Whether it shall be on.</param>
    /// <exception cref="VmmException">ENOENT: the backend does not have it.</exception>
    [VmmKernelSymbol("vmi_set_cap_t")]
    [VmmKernelSymbol("vmm_ops.vmsetcap")]
    void SetCapability(VcpuCapability capability, bool enabled);

    /// <summary>Sets what CPUID answers.</summary>
    /// <param name="entries">The entries.</param>
    /// <exception cref="VmmException">EBUSY: the vCPU has run; E2BIG or EINVAL: the entries are refused.</exception>
    void SetCpuid(ReadOnlySpan<CpuidEntry> entries);

    /// <summary>The event state. Write registers before events.</summary>
    BackendEvents Events { get; set; }

    /// <summary>Whether the guest could take an external interrupt at its next entry.</summary>
    bool IsReadyForInterrupt { get; }

    /// <summary>Delivers an external interrupt at the next entry. Only in userspace and split mode.</summary>
    /// <param name="vector">The vector.</param>
    /// <exception cref="VmmException">EBUSY: the guest cannot take one now; EINVAL: not in this mode.</exception>
    void InjectInterrupt(byte vector);

    /// <summary>Delivers an NMI as soon as the guest can take it.</summary>
    void InjectNmi();

    /// <summary>Whether a run returns as soon as the guest can take an external interrupt.</summary>
    bool InterruptWindowRequested { get; set; }

    /// <summary>
    /// CR8, the class of the task priority, 0 to 15: as the last run left it, or as the next one begins. Only in userspace mode,
    /// where the engine's local APIC has the register itself; elsewhere 0, and setting it does nothing.
    /// </summary>
    byte TaskPriority { get; set; }

    /// <summary>
    /// The rate of the guest's TSC in Hz, where the hypervisor hands IA32_TSC_DEADLINE over (<see cref="BackendVmOptions.ApicMsrExits"/>);
    /// else 0.
    /// </summary>
    long TscDeadlineFrequency { get; }

    /// <summary>What the vCPU is doing, where the hypervisor has the local APICs; else always runnable.</summary>
    BackendActivity Activity { get; set; }
}
