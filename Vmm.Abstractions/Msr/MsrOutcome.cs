// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>How an MSR access ended (<c>vm_msr_result_t</c>).</summary>
[VmmKernelSymbol("vm_msr_result")]
[VmmKernelSymbol("vm_msr_result_t")]
public enum MsrOutcome
{
    /// <summary>Done.</summary>
    [VmmKernelSymbol("VMR_OK")]
    Handled = 0,

    /// <summary>The guest gets <c>#GP(0)</c>.</summary>
    [VmmKernelSymbol("VMR_GP")]
    GeneralProtection = 1,

    /// <summary>Not this handler's register: the next layer decides.</summary>
    [VmmKernelSymbol("VMR_UNHANLDED")]
    Unhandled = 2,
}
