// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What holds off interrupts at the next instruction boundary (volume 3, interrupts when switching stacks, and volume 2, STI).</summary>
public enum InterruptShadow : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>STI, which had found IF clear: maskable interrupts wait.</summary>
    Sti,

    /// <summary>MOV or POP to SS: interrupts, NMI and debug traps wait.</summary>
    MovSs,
}
