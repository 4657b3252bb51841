// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;

namespace Vmm.Abstractions.Vcpu;

/// <summary>The registers of a vCPU. Every member needs ownership.</summary>
/// <remarks>Values get no architectural check: what the processor would refuse, the next run reports.</remarks>
public interface IVcpuRegisters
{
    /// <summary>Reads a register.</summary>
    /// <param name="register">The register.</param>
    /// <returns>The value, zero-extended.</returns>
    /// <exception cref="VmmException">EINVAL: not a register, or one that only has a descriptor.</exception>
    [VmmKernelSymbol("vm_get_register")]
    ulong GetRegister(RegisterName register);

    /// <summary>Writes a register. A segment selector leaves the hidden part alone.</summary>
    /// <param name="register">The register.</param>
    /// <param name="value">The value.</param>
    /// <exception cref="VmmException">
    /// EINVAL: not a register, one that only has a descriptor, or for XCR0 a value that the host cannot give.
    /// </exception>
    [VmmKernelSymbol("vm_set_register")]
    void SetRegister(RegisterName register, ulong value);

    /// <summary>Reads the hidden part of a segment register, of LDTR, TR, IDTR or GDTR.</summary>
    /// <param name="register">The register.</param>
    /// <returns>The descriptor.</returns>
    /// <exception cref="VmmException">EINVAL: the register has no descriptor.</exception>
    [VmmKernelSymbol("vm_get_seg_desc")]
    SegmentDescriptor GetSegmentDescriptor(RegisterName register);

    /// <summary>Writes the hidden part of a segment register, of LDTR, TR, IDTR or GDTR.</summary>
    /// <param name="register">The register.</param>
    /// <param name="descriptor">The descriptor.</param>
    /// <exception cref="VmmException">EINVAL: the register has no descriptor.</exception>
    [VmmKernelSymbol("vm_set_seg_desc")]
    void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor);

    /// <summary>The general registers, RIP and RFLAGS at once.</summary>
    GeneralRegisters GeneralRegisters { get; set; }

    /// <summary>Copies the FPU image: a standard-format XSAVE area without XCR0.</summary>
    /// <param name="destination">Receives the image.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="VmmException">ENOSPC: the destination is too short.</exception>
    [VmmKernelSymbol("vm_get_fpu")]
    int GetFpu(Span<byte> destination);

    /// <summary>Replaces the FPU image.</summary>
    /// <param name="source">A standard-format XSAVE area.</param>
    /// <exception cref="VmmException">
    /// ENOSPC: shorter than 576 bytes; EINVAL: a compacted image, components the host lacks, or invalid contents.
    /// </exception>
    [VmmKernelSymbol("vm_set_fpu")]
    void SetFpu(ReadOnlySpan<byte> source);

    /// <summary>Reads an MSR for a transfer of state, without the guest's access rules.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> when the backend does not have the register.</returns>
    bool TryGetMsr(MsrIndex index, out ulong value);

    /// <summary>Writes an MSR for a transfer of state, without the guest's access rules.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> when the backend does not have the register or refuses the value.</returns>
    bool TrySetMsr(MsrIndex index, ulong value);

    /// <summary>Whether the local APIC starts in x2APIC mode. To be set before the vCPU runs.</summary>
    /// <exception cref="VmmException">
    /// EINVAL: no such state; EBUSY on setting: the vCPU has run; ENOENT: no local APIC exists in this mode.
    /// </exception>
    [VmmKernelSymbol("vm_get_x2apic_state")]
    [VmmKernelSymbol("vm_set_x2apic_state")]
    X2ApicState X2ApicState { get; set; }

    /// <summary>
    /// Puts the vCPU into the state after a reset or an INIT (Intel SDM volume 3, processor state after reset), and drops its pending
    /// events and an exit that waits for its answer.
    /// </summary>
    /// <param name="initOnly">INIT: XCR0, the FPU and the MTRRs stay as they are.</param>
    [VmmKernelSymbol("vcpu_arch_reset")]
    void Reset(bool initOnly);
}
