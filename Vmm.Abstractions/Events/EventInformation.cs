// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>
/// An event on its way into a guest, in the layout of AMD's EXITINTINFO (<c>intinfo</c>): vector in bits 0 to 7, type in
/// 8 to 10, error code valid in 11, reserved 12 to 30, valid in 31, error code in 32 to 63.
/// </summary>
/// <param name="Value">The 64-bit field.</param>
public readonly record struct EventInformation(ulong Value)
{
    private const ulong ErrorCodeBit = 1ul << 11;
    private const ulong ReservedMask = 0x7ffff000;
    private const ulong ValidBit = 1ul << 31;

    /// <summary>No event.</summary>
    public static EventInformation None => default;

    /// <summary>Builds an event.</summary>
    /// <param name="type">Its kind.</param>
    /// <param name="vector">Its vector.</param>
    /// <param name="errorCode">Its error code, or null.</param>
    /// <returns>The event, valid.</returns>
    public static EventInformation Create(EventType type, byte vector, uint? errorCode = null) =>
        new(ValidBit | vector | ((ulong)type << 8)
            | (errorCode is uint code ? ErrorCodeBit | ((ulong)code << 32) : 0));

    /// <summary>Whether there is an event at all.</summary>
    public bool IsValid => (Value & ValidBit) != 0;

    /// <summary>The vector.</summary>
    public byte Vector => (byte)Value;

    /// <summary>The kind.</summary>
    public EventType Type => (EventType)((Value >> 8) & 7);

    /// <summary>Whether an error code goes with it.</summary>
    public bool HasErrorCode => (Value & ErrorCodeBit) != 0;

    /// <summary>The error code; 0 without one.</summary>
    public uint ErrorCode => (uint)(Value >> 32);

    /// <summary>Whether reserved bits are set.</summary>
    public bool HasReservedBits => (Value & ReservedMask) != 0;

    /// <inheritdoc/>
    public override string ToString() =>
        IsValid ? $"{Type} {Vector}{(HasErrorCode ? $" error 0x{ErrorCode:x}" : "")}" : "none";
}
