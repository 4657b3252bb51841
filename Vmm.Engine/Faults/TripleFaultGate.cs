// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Events;

namespace Vmm.Engine.Faults;

/// <summary>The entry of the guest's interrupt table for an event that could not be delivered.</summary>
/// <param name="Vector">The event's vector.</param>
/// <param name="Address">Where the entry is.</param>
/// <param name="Low">Its first eight bytes, in real mode four; 0 where it cannot be read.</param>
/// <param name="High">In 64-bit mode its other eight bytes.</param>
/// <param name="Problem">What is wrong with it; null where nothing is, and the way to the handler failed behind it.</param>
public sealed record TripleFaultGate(byte Vector, GuestLinearAddress Address, ulong Low, ulong High, string? Problem)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"entry {Vector} ({((ExceptionVector)Vector).ToMnemonic()}) at 0x{Address.Value:x}: "
        + (Problem ?? $"0x{High:x16}{Low:x16} is in order; its code segment or the stack is not");
}
