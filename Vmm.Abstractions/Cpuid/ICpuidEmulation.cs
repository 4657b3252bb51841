// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Cpuid;

/// <summary>
/// Answers CPUID in software, where the hypervisor does not. An optional interface of a vCPU: test for it with
/// <c>vcpu is ICpuidEmulation</c>.
/// </summary>
public interface ICpuidEmulation
{
    /// <summary>Answers a query from the vCPU's configuration. Only from the vCPU's owner.</summary>
    /// <param name="function">The leaf (EAX).</param>
    /// <param name="index">The subleaf (ECX).</param>
    /// <returns>The answer; its function and index are those asked for.</returns>
    [VmmKernelSymbol("vcpu_emulate_cpuid")]
    CpuidEntry EmulateCpuid(uint function, uint index);

    /// <summary>Answers a query by the legacy rules: the host's answer, leaf by leaf adapted.</summary>
    /// <param name="function">The leaf (EAX).</param>
    /// <param name="index">The subleaf (ECX).</param>
    /// <returns>The answer.</returns>
    [VmmKernelSymbol("legacy_emulate_cpuid")]
    CpuidEntry EmulateLegacyCpuid(uint function, uint index);

    /// <summary>Whether the guest may be offered a feature.</summary>
    /// <param name="capability">The feature.</param>
    /// <returns>Whether the guest may be offered it.</returns>
    [VmmKernelSymbol("vm_cpuid_capability")]
    bool HasCapability(CpuidCapability capability);
}
