// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>How executing ended.</summary>
public enum ExecutionStatus : byte
{
    /// <summary>The instruction completed, or for a repeated string instruction a part of it, with RIP still on it.</summary>
    Completed,

    /// <summary>The instruction raised an exception and changed nothing; RIP is on it (behind it for a trap).</summary>
    Fault,

    /// <summary>The instruction is valid but the executor does not have it; nothing changed.</summary>
    NotExecutable,

    /// <summary>The binding could not serve an access now; nothing changed, execute again when it can.</summary>
    Pending,

    /// <summary>The binding refused an access for good (it belongs to a chip elsewhere); nothing changed.</summary>
    Refused,

    /// <summary>The CPU halted; RIP is behind the instruction.</summary>
    Halted,

    /// <summary>An exception arose while one was delivered beyond a double fault: the CPU shuts down.</summary>
    Shutdown,
}
