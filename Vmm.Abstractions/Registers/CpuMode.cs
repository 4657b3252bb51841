// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>
/// The mode a vCPU executes in (<c>vm_cpu_mode</c>). Virtual-8086 mode counts as protected.
/// </summary>
public enum CpuMode
{
    /// <summary>Real mode: CR0.PE is clear.</summary>
    Real = 0,

    /// <summary>Protected mode outside long mode.</summary>
    Protected = 1,

    /// <summary>Compatibility mode: long mode with CS.L clear.</summary>
    Compatibility = 2,

    /// <summary>64-bit mode: long mode with CS.L set.</summary>
    Long64 = 3,
}
