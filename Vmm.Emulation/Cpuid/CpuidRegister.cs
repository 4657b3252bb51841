// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>A register of CPUID's answer.</summary>
public enum CpuidRegister
{
    /// <summary>EAX.</summary>
    Eax = 0,

    /// <summary>EBX.</summary>
    Ebx = 1,

    /// <summary>ECX.</summary>
    Ecx = 2,

    /// <summary>EDX.</summary>
    Edx = 3,
}
