// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine.SecondChance;

/// <summary>Why the engine did not execute an instruction that the hypervisor gave up on.</summary>
public enum EmulationRefusal
{
    /// <summary>It was not refused.</summary>
    None = 0,

    /// <summary>The second chance is switched off (<c>VirtualMachineOptions.SecondChance</c>).</summary>
    SwitchedOff = 1,

    /// <summary>The executor does not have the instruction; the list is in docs/instruction-coverage.md.</summary>
    NotExecutable = 2,

    /// <summary>It works on a chip, an MSR or a counter that only the hypervisor has.</summary>
    OwnedByHypervisor = 3,

    /// <summary>It is better continued by the hypervisor; never the reason of an exit.</summary>
    LeftToHypervisor = 4,

    /// <summary>A device refused the access.</summary>
    RefusedByDevice = 5,

    /// <summary>Its code or its page tables are not in RAM.</summary>
    NotInMemory = 6,

    /// <summary>The instruction's operand is not at the linear address that the backend reported.</summary>
    OperandElsewhere = 7,

    /// <summary>It is an INT3 that a debugger waits for; never the reason of an exit for an emulation failure.</summary>
    Breakpoint = 8,

    /// <summary>It switches to another task, through a TSS or a task gate, which the executor does not do.</summary>
    TaskSwitch = 9,

    /// <summary>XSAVES or XRSTORS of a component that IA32_XSS enables, for which the executor has no state.</summary>
    SupervisorState = 10,
}
