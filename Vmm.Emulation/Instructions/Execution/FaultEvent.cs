// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>An event on the way to a shutdown.</summary>
/// <param name="Vector">Its vector.</param>
/// <param name="Kind">Where it came from.</param>
/// <param name="HasErrorCode">Whether an error code goes with it.</param>
/// <param name="ErrorCode">The error code.</param>
/// <param name="FaultAddress">The address that CR2 took, for a page fault.</param>
/// <param name="WasAttempted">Whether its delivery was begun; an exception that became part of a double fault was not.</param>
public readonly record struct FaultEvent(
    byte Vector, InterruptKind Kind, bool HasErrorCode = false, uint ErrorCode = 0, ulong FaultAddress = 0, bool WasAttempted = false);
