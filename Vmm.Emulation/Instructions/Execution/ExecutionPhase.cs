// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What the executor is doing for a CPU.</summary>
public enum ExecutionPhase
{
    /// <summary>Nothing: whoever drives the CPU is at something else, or the CPU waits.</summary>
    None = 0,

    /// <summary>Executing instructions, or delivering an event.</summary>
    Execute,

    /// <summary>Looking for code: finding blocks, comparing them with memory, decoding.</summary>
    Decode,

    /// <summary>Walking page tables.</summary>
    Walk,
}
