// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What an instruction asks that the executor does not have, for <see cref="ExecutionStatus.NotExecutable"/>.</summary>
public enum ExecutionRefusal : byte
{
    /// <summary>Nothing was refused.</summary>
    None = 0,

    /// <summary>The instruction itself; the list is in docs/instruction-coverage.md.</summary>
    Instruction,

    /// <summary>A switch to another task through a TSS or a task gate, by a far transfer, an interrupt, or IRET with NT.</summary>
    TaskSwitch,

    /// <summary>A component of XSAVES or XRSTORS that IA32_XSS enables, such as the state of shadow stacks.</summary>
    SupervisorState,
}
