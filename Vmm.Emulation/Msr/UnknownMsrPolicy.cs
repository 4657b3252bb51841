// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>What happens to an access to a register that nobody answers for.</summary>
public enum UnknownMsrPolicy
{
    /// <summary>The guest gets <c>#GP(0)</c>, as on a processor without the register.</summary>
    GeneralProtection = 0,

    /// <summary>Reads give zero, writes have no effect.</summary>
    ReadZeroIgnoreWrite,

    /// <summary>The embedder is asked.</summary>
    Ask,
}
