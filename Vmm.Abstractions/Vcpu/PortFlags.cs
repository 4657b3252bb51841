// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>What a port access does.</summary>
[Flags]
public enum PortFlags : byte
{
    /// <summary>A plain OUT.</summary>
    None = 0,

    /// <summary>Input: the guest wants data.</summary>
    In = 1,

    /// <summary>INS or OUTS.</summary>
    String = 2,

    /// <summary>Repeated.</summary>
    Repeat = 4,
}
