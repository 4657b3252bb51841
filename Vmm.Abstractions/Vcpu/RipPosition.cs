// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>Where the instruction pointer of an exit lies relative to the instruction that caused it.</summary>
public enum RipPosition
{
    /// <summary>At the instruction's first byte.</summary>
    AtInstruction = 0,

    /// <summary>Behind the instruction: it has retired but for the pending write.</summary>
    AfterInstruction = 1,

    /// <summary>
    /// One of the two: the hypervisor does not tell before the write is completed
    /// (<see cref="IVirtualCpu.CompletePending"/>).
    /// </summary>
    AtOrAfterInstruction = 2,
}
