// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The outcome of executing; faults are values.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Vector">The exception's vector, 0 to 31, for a fault.</param>
/// <param name="HasErrorCode">Whether the exception pushes an error code.</param>
/// <param name="ErrorCode">The error code.</param>
/// <param name="FaultAddress">What CR2 becomes, for #PF.</param>
public readonly record struct ExecutionResult(ExecutionStatus Status, byte Vector = 0, bool HasErrorCode = false, uint ErrorCode = 0, ulong FaultAddress = 0)
{
    internal static ExecutionResult Fault(byte vector) => new(ExecutionStatus.Fault, vector);

    internal static ExecutionResult Fault(byte vector, uint errorCode) => new(ExecutionStatus.Fault, vector, true, errorCode);
}
