// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Interrupts;

/// <content>Saving and restoring.</content>
public sealed partial class IoApic
{
    /// <summary>The length of the exchange layout in bytes (class IOAPIC, version 1).</summary>
    public const int LayoutLength = 392;

    private const int LayoutPins = 32;

    /// <summary>Takes the whole state.</summary>
    /// <returns>The state.</returns>
    public IoApicState Save()
    {
        lock (_lock)
        {
            return new IoApicState
            {
                Id = _id,
                Selected = _selected,
                Entries = [.. _entries],
                Assertions = new PinCounters(_assertions),
            };
        }
    }

    /// <summary>Puts the whole state back; nothing is sent.</summary>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: an unknown version, or another number of pins.</exception>
    public void Restore(IoApicState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Version != IoApicState.CurrentVersion)
        {
            ChipThrow.Invalid(nameof(Restore), $"the state of the I/O APIC has version {state.Version}");
        }

        if (state.Entries.IsDefault || state.Entries.Length != PinCount || state.Assertions.Count != PinCount)
        {
            ChipThrow.Invalid(nameof(Restore), $"the state is not that of an I/O APIC with {PinCount} pins");
        }

        lock (_lock)
        {
            _id = state.Id & IdMask;
            _selected = state.Selected;
            for (int pin = 0; pin < PinCount; pin++)
            {
                Volatile.Write(ref _entries[pin], state.Entries[pin] & ~DeliveryStatus);
                _assertions[pin] = state.Assertions[pin];
            }
        }
    }

    /// <summary>Writes the exchange layout, which has 32 pins: more are left out, missing ones are masked.</summary>
    /// <param name="destination">At least <see cref="LayoutLength"/> bytes.</param>
    public void ExportLayout(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, LayoutLength, nameof(destination));
        IoApicState state = Save();
        LayoutWriter writer = new(destination[..LayoutLength]);
        for (int pin = 0; pin < LayoutPins; pin++)
        {
            writer.UInt64(pin < PinCount ? state.Entries[pin] : ResetEntry);
        }

        for (int pin = 0; pin < LayoutPins; pin++)
        {
            writer.UInt32(state.Assertions[pin]);
        }

        writer.UInt32(state.Id);
        writer.UInt32(state.Selected);
    }

    /// <summary>
    /// Takes the exchange layout; nothing is sent. As in the reference, Remote IRR and delivery status are dropped, so that a
    /// level-triggered interrupt in service comes once more.
    /// </summary>
    /// <param name="source">At least <see cref="LayoutLength"/> bytes.</param>
    /// <returns>None: there is nothing to refuse.</returns>
    public VmmError ImportLayout(ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, LayoutLength, nameof(source));
        LayoutReader reader = new(source[..LayoutLength]);
        lock (_lock)
        {
            for (int pin = 0; pin < LayoutPins; pin++)
            {
                ulong entry = reader.UInt64() & ~ReadOnlyBits;
                if (pin < PinCount)
                {
                    Volatile.Write(ref _entries[pin], entry);
                }
            }

            for (int pin = 0; pin < LayoutPins; pin++)
            {
                uint count = reader.UInt32();
                if (pin < PinCount)
                {
                    _assertions[pin] = count;
                }
            }

            _id = reader.UInt32() & IdMask;
            _selected = (byte)reader.UInt32();
        }

        return VmmError.None;
    }
}
