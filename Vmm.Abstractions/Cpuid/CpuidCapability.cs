// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Cpuid;

/// <summary>A processor feature that other emulation asks for (<c>vm_cpuid_capability</c>).</summary>
[VmmKernelSymbol("vm_cpuid_capability")]
public enum CpuidCapability
{
    /// <summary>None.</summary>
    [VmmKernelSymbol("VCC_NONE")]
    None = 0,

    /// <summary>No-execute pages.</summary>
    [VmmKernelSymbol("VCC_NO_EXECUTE")]
    NoExecute = 1,

    /// <summary>Fast FXSAVE and FXRSTOR.</summary>
    [VmmKernelSymbol("VCC_FFXSR")]
    FastFxsave = 2,

    /// <summary>Translation-cache extension.</summary>
    [VmmKernelSymbol("VCC_TCE")]
    TranslationCacheExtension = 3,
}
