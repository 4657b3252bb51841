// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>How a hypervisor executes guests.</summary>
public enum HostVirtualization
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>Intel VMX.</summary>
    [VmmKernelSymbol("vmm_ops_intel")]
    Vmx = 1,

    /// <summary>AMD SVM.</summary>
    [VmmKernelSymbol("vmm_ops_amd")]
    Svm = 2,

    /// <summary>
    /// Software virtualization without hardware support: user-mode 64-bit code runs natively, everything else is
    /// interpreted by the host's kernel.
    /// </summary>
    Pvm = 3,

    /// <summary>A CPU in software.</summary>
    Software = 4,
}
