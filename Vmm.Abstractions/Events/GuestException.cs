// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Events;

/// <summary>An exception to inject into a guest (<c>struct vm_exception</c>).</summary>
/// <remarks>
/// Prefer the named factories: they carry the right error code and fault-like behaviour. Vectors 2 (NMI) and 8
/// (<c>#DF</c>) and those above 31 are refused by the injection.
/// </remarks>
/// <param name="Vector">The vector.</param>
/// <param name="ErrorCode">The error code, or null when the exception has none. Dropped in real mode.</param>
/// <param name="RestartInstruction">
/// Whether the guest finds the faulting instruction as the return address (a fault) or the next one (a trap).
/// For a fault, an exit that waits for its answer is abandoned as by <see cref="Vcpu.EntryCommand.DiscardInstruction"/>; for a trap, and within
/// a handler, the instruction is completed first.
/// </param>
/// <param name="LinearAddress">For <c>#PF</c> the address for CR2, else null.</param>
[VmmKernelSymbol("vm_exception")]
public readonly record struct GuestException(
    ExceptionVector Vector,
    uint? ErrorCode,
    bool RestartInstruction,
    GuestLinearAddress? LinearAddress = null)
{
    /// <summary><c>#UD</c>.</summary>
    /// <returns>The exception.</returns>
    [VmmKernelSymbol("vm_inject_ud")]
    public static GuestException InvalidOpcode() => new(ExceptionVector.InvalidOpcode, null, true);

    /// <summary><c>#GP</c>.</summary>
    /// <param name="errorCode">The error code.</param>
    /// <returns>The exception.</returns>
    [VmmKernelSymbol("vm_inject_gp")]
    public static GuestException GeneralProtection(uint errorCode = 0) =>
        new(ExceptionVector.GeneralProtection, errorCode, true);

    /// <summary><c>#AC</c>.</summary>
    /// <param name="errorCode">The error code.</param>
    /// <returns>The exception.</returns>
    [VmmKernelSymbol("vm_inject_ac")]
    public static GuestException AlignmentCheck(uint errorCode = 0) =>
        new(ExceptionVector.AlignmentCheck, errorCode, true);

    /// <summary><c>#SS</c>.</summary>
    /// <param name="errorCode">The error code.</param>
    /// <returns>The exception.</returns>
    [VmmKernelSymbol("vm_inject_ss")]
    public static GuestException StackFault(uint errorCode = 0) => new(ExceptionVector.StackFault, errorCode, true);

    /// <summary><c>#PF</c>.</summary>
    /// <param name="errorCode">The error code.</param>
    /// <param name="address">The address that CR2 receives.</param>
    /// <returns>The exception.</returns>
    [VmmKernelSymbol("vm_inject_pf")]
    public static GuestException PageFault(uint errorCode, GuestLinearAddress address) =>
        new(ExceptionVector.PageFault, errorCode, true, address);
}
