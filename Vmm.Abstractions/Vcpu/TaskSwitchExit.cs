// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>A hardware task switch.</summary>
/// <param name="TssSelector">The selector of the new task.</param>
/// <param name="Reason">CALL 0, IRET 1, JMP 2, task gate in the IDT 3.</param>
/// <param name="IsExternal">Whether an external event caused it.</param>
/// <param name="ErrorCode">The error code to push.</param>
/// <param name="HasErrorCode">Whether there is an error code.</param>
public readonly record struct TaskSwitchExit(
    ushort TssSelector,
    int Reason,
    bool IsExternal,
    uint ErrorCode,
    bool HasErrorCode);
