// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>Kinds of access to a register.</summary>
[Flags]
public enum MsrDirections
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>RDMSR.</summary>
    Read = 1,

    /// <summary>WRMSR.</summary>
    Write = 2,

    /// <summary>Both.</summary>
    Both = Read | Write,
}
