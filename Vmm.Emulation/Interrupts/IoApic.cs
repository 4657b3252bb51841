// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;

namespace Vmm.Emulation.Interrupts;

/// <summary>An I/O APIC (Intel 82093AA, data sheet 290566). Any thread.</summary>
/// <remarks>
/// A pin counts its assertions, so that devices may share it. An edge-triggered entry sends when the count leaves zero, and
/// what it sends while masked is lost; a level-triggered one sends while the count is not zero, once until the end of that
/// interrupt comes back. One lock guards the entries; messages leave after it is released, so that no lock is held while a
/// local APIC or its processor is called.
/// </remarks>
public sealed partial class IoApic : IIoApic
{
    /// <summary>The length of the register page in bytes.</summary>
    public const ulong PageLength = 0x1000;

    private const int MaximumPins = 240;
    private const ulong SelectOffset = 0x00;
    private const ulong WindowOffset = 0x10;
    private const ulong EoiOffset = 0x40;
    private const int FirstEntryRegister = 0x10;

    private const ulong VectorField = 0xff;
    private const ulong Logical = 1 << 11;
    private const ulong DeliveryStatus = 1 << 12;
    private const ulong RemoteIrr = 1 << 14;
    private const ulong Level = 1 << 15;
    private const ulong Masked = 1 << 16;
    private const ulong ReadOnlyBits = DeliveryStatus | RemoteIrr;
    private const ulong ResetEntry = 0x0001_0000_0001_0000;
    private const uint IdMask = 0xff000000;

    private readonly Lock _lock = new();
    private readonly InterruptFabric _fabric;
    private readonly IoApicOptions _options;
    private readonly ulong[] _entries;
    private readonly uint[] _assertions;
    private uint _id;
    private byte _selected;

    /// <summary>Makes an I/O APIC with all pins masked and joins it to the bus.</summary>
    /// <param name="fabric">The bus of its VM.</param>
    /// <param name="options">What distinguishes it; null for the defaults.</param>
    public IoApic(InterruptFabric fabric, IoApicOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(fabric);
        _options = options ?? new();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.PinCount, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_options.PinCount, MaximumPins, nameof(options));
        _fabric = fabric;
        _entries = new ulong[_options.PinCount];
        _assertions = new uint[_options.PinCount];
        _entries.AsSpan().Fill(ResetEntry);
        fabric.Attach(this);
    }

    /// <inheritdoc/>
    public int PinCount => _entries.Length;

    private uint VersionRegister => ((uint)(PinCount - 1) << 16) | (_options.HasEoiRegister ? 0x20u : 0x11u);

    /// <inheritdoc/>
    public void AssertPin(int pin)
    {
        Check(pin, "vioapic_assert_irq");
        InterruptMessage message = default;
        bool sends = false;
        bool full;
        lock (_lock)
        {
            full = _assertions[pin] == uint.MaxValue;
            if (!full && _assertions[pin]++ == 0)
            {
                sends = TrySend(pin, out message);
            }
        }

        if (full)
        {
            ChipThrow.TooMany("vioapic_assert_irq", pin);
        }

        Deliver(sends, message);
    }

    /// <inheritdoc/>
    public void DeassertPin(int pin)
    {
        Check(pin, "vioapic_deassert_irq");
        bool asserted;
        lock (_lock)
        {
            asserted = _assertions[pin] != 0;
            _assertions[pin] -= asserted ? 1u : 0u;
        }

        if (!asserted)
        {
            ChipThrow.NotAsserted("vioapic_deassert_irq", pin);
        }
    }

    /// <inheritdoc/>
    public void PulsePin(int pin)
    {
        Check(pin, "vioapic_pulse_irq");
        InterruptMessage message = default;
        bool sends = false;
        lock (_lock)
        {
            // A pin that others hold up has no edge.
            if (_assertions[pin] == 0)
            {
                sends = TrySend(pin, out message);
            }
        }

        Deliver(sends, message);
    }

    /// <summary>The guest reads the register page. Only 4 bytes at a register are answered, the rest is zero.</summary>
    /// <param name="offset">The offset in the page.</param>
    /// <param name="bytes">The width.</param>
    /// <returns>The value.</returns>
    public ulong ReadMmio(ulong offset, int bytes)
    {
        if (bytes != sizeof(uint))
        {
            return 0;
        }

        lock (_lock)
        {
            return offset switch
            {
                SelectOffset => _selected,
                WindowOffset => ReadSelected(),
                _ => 0,
            };
        }
    }

    /// <summary>The guest writes the register page. Only 4 bytes at a register count, the rest is ignored.</summary>
    /// <param name="offset">The offset in the page.</param>
    /// <param name="bytes">The width.</param>
    /// <param name="value">The value.</param>
    public void WriteMmio(ulong offset, int bytes, ulong value)
    {
        if (bytes != sizeof(uint))
        {
            return;
        }

        InterruptMessage message = default;
        InterruptMessage? route = null;
        int pin = -1;
        bool sends = false;
        switch (offset)
        {
            case SelectOffset:
                lock (_lock)
                {
                    _selected = (byte)value;
                }

                break;
            case WindowOffset:
                lock (_lock)
                {
                    pin = (_selected - FirstEntryRegister) >> 1;
                    sends = WriteSelected((uint)value, out message);
                    route = (uint)pin < (uint)_entries.Length ? Route(_entries[pin]) : null;
                }

                // Before the interrupt, whose end shall be reported.
                if ((uint)pin < (uint)_entries.Length)
                {
                    _options.Routed?.Invoke(pin, route);
                }

                break;
            case EoiOffset when _options.HasEoiRegister:
                EndOfInterrupt((byte)value);
                break;
            default:
                break;
        }

        Deliver(sends, message);
    }

    /// <summary>Reset: all pins masked, the id 0. The pins stay as their devices drive them.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _entries.AsSpan().Fill(ResetEntry);
            _id = 0;
            _selected = 0;
        }
    }

    /// <summary>
    /// The end of a level-triggered interrupt, from a local APIC or the EOI register: pins that are still asserted send again.
    /// </summary>
    /// <param name="vector">The vector.</param>
    public void EndOfInterrupt(byte vector)
    {
        for (int pin = 0; pin < _entries.Length; pin++)
        {
            // Most pins wait for nothing, which shows without the lock.
            if ((Volatile.Read(ref _entries[pin]) & RemoteIrr) == 0)
            {
                continue;
            }

            if (_options.Ended is not null && Waits(pin, vector))
            {
                // First, so that a pin which its device lets fall for it does not send again.
                _options.Ended(pin);
            }

            InterruptMessage message = default;
            bool sends = false;
            lock (_lock)
            {
                if (Waits(pin, vector))
                {
                    Volatile.Write(ref _entries[pin], _entries[pin] & ~RemoteIrr);
                    sends = _assertions[pin] != 0 && TrySend(pin, out message);
                }
            }

            Deliver(sends, message);
        }
    }

    /// <summary>Whether a pin waits for the end of an interrupt with a vector.</summary>
    private bool Waits(int pin, byte vector)
    {
        ulong entry = Volatile.Read(ref _entries[pin]);
        return (entry & RemoteIrr) != 0 && (byte)(entry & VectorField) == vector;
    }

    private void Check(int pin, string operation)
    {
        if ((uint)pin >= (uint)_entries.Length)
        {
            ChipThrow.Invalid(operation, $"there is no pin {pin}");
        }
    }

    private void Deliver(bool sends, in InterruptMessage message)
    {
        if (sends)
        {
            _fabric.Deliver(message);
        }
    }

    /// <summary>Where the level-triggered interrupts of an entry go, or null.</summary>
    private static InterruptMessage? Route(ulong entry)
    {
        DeliveryMode mode = (DeliveryMode)((entry >> 8) & 7);
        return (entry & (Level | Masked)) == Level && mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority
            ? Msi.Create((uint)(entry >> 56), 0, (entry & Logical) != 0, mode, (byte)entry) with { IsLevel = true }
            : null;
    }

    private bool TrySend(int pin, out InterruptMessage message)
    {
        ulong entry = _entries[pin];
        message = default;
        if ((entry & Masked) != 0)
        {
            return false;
        }

        uint high = _fabric.HasExtendedDestinations ? (uint)(entry >> 49) & 0x7f : 0;
        DeliveryMode mode = (DeliveryMode)((entry >> 8) & 7);
        message = Msi.Create((uint)(entry >> 56), high, (entry & Logical) != 0, mode, (byte)entry);

        // Only vectors are ended by the processor; NMI, INIT and ExtINT are edges whatever the entry says.
        if ((entry & Level) != 0 && mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority)
        {
            if ((entry & RemoteIrr) != 0)
            {
                return false;
            }

            Volatile.Write(ref _entries[pin], entry | RemoteIrr);
            message = message with { IsLevel = true };
        }

        return mode is not (DeliveryMode.StartUp or DeliveryMode.Reserved or DeliveryMode.Smi);
    }

    private uint ReadSelected()
    {
        const int Id = 0;
        const int Version = 1;
        const int Arbitration = 2;
        switch (_selected)
        {
            case Id or Arbitration:
                return _id;
            case Version:
                return VersionRegister;
            default:
                int pin = (_selected - FirstEntryRegister) >> 1;
                return _selected < FirstEntryRegister || pin >= _entries.Length
                    ? 0
                    : (uint)(_entries[pin] >> ((_selected & 1) * 32));
        }
    }

    private bool WriteSelected(uint value, out InterruptMessage message)
    {
        message = default;
        if (_selected == 0)
        {
            _id = value & IdMask;
            return false;
        }

        int pin = (_selected - FirstEntryRegister) >> 1;
        if (_selected < FirstEntryRegister || pin >= _entries.Length)
        {
            return false;
        }

        ulong before = _entries[pin];
        int shift = (_selected & 1) * 32;
        ulong entry = (before & ~((ulong)uint.MaxValue << shift)) | ((ulong)value << shift);
        entry = (entry & ~ReadOnlyBits) | (before & ReadOnlyBits);
        bool level = (entry & Level) != 0;

        // Systems rely on this to get rid of an interrupt that never ends: an edge-triggered entry waits for nothing.
        Volatile.Write(ref _entries[pin], level ? entry : entry & ~RemoteIrr);
        return level && _assertions[pin] != 0 && TrySend(pin, out message);
    }
}
