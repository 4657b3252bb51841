// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>Who answered an access.</summary>
public enum MsrAnswer
{
    /// <summary>A chip.</summary>
    Chip = 0,

    /// <summary>This engine's store.</summary>
    Ours,

    /// <summary>A handler of the embedder.</summary>
    Handler,

    /// <summary>What is known about the register, or zero by policy.</summary>
    Policy,

    /// <summary>Nobody: the guest got <c>#GP(0)</c>.</summary>
    Fault,

    /// <summary>Whoever has the register refused the access: the guest got <c>#GP(0)</c>.</summary>
    Refused,

    /// <summary>The hypervisor, asked by this engine.</summary>
    Hypervisor,

    /// <summary>The embedder, to whom the run returned.</summary>
    Embedder,
}
