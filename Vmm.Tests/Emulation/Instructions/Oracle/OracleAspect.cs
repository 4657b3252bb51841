// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>What is not equal first, in the order in which it is compared.</summary>
internal enum OracleAspect
{
    /// <summary>How the guest was left.</summary>
    Exit,

    /// <summary>Where execution ended.</summary>
    Rip,
    Register,
    Flags,
    Cr2,

    /// <summary>Control registers and the registers of descriptor tables.</summary>
    System,
    Segment,
    Memory,

    /// <summary>x87, SSE and AVX.</summary>
    Vectors,
}
