// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// What a run does before the guest goes on (<c>vm_entry_cmds</c>; the numbers from 0x100 on are this engine's).
/// </summary>
public enum EntryCommand
{
    /// <summary>Nothing: go on, or report a pending exit again.</summary>
    Default = 0,

    /// <summary>Abandon the pending operation: the vCPU keeps the state that the exit showed.</summary>
    DiscardInstruction = 1,

    /// <summary>Answer the pending memory-mapped access.</summary>
    FulfillMmio = 2,

    /// <summary>Answer the pending port access.</summary>
    FulfillInout = 3,

    /// <summary>Answer the pending MSR access.</summary>
    FulfillMsr = 0x100,

    /// <summary>Answer the pending hypercall.</summary>
    FulfillHypercall = 0x101,
}
