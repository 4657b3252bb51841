// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>What happens to an MSR access that nobody claims.</summary>
public enum UnclaimedMsr
{
    /// <summary>The run returns it to the embedder.</summary>
    Exit = 0,

    /// <summary>The guest gets a general-protection fault.</summary>
    GeneralProtection = 1,

    /// <summary>A read gives zero, a write is dropped.</summary>
    ReadZeroIgnoreWrite = 2,
}
