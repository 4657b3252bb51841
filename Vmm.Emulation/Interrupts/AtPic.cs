// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Emulation.Interrupts;

/// <summary>The two 8259 interrupt controllers of a PC/AT with their trigger-mode registers. Any thread.</summary>
/// <remarks>
/// <para>
/// Ports: 0x20 and 0x21 the first chip, 0xA0 and 0xA1 the second, on pin 2 of the first, 0x4D0 and 0x4D1 the trigger modes
/// (ELCR). One lock, under which nothing outside is called. The output is a wire to local interrupt 0 of the first
/// processor and goes nowhere else.
/// </para>
/// <para>
/// A pin counts its assertions, so that devices may share it. An edge-triggered request is latched when the count leaves
/// zero; a level-triggered one stands as long as the count is not zero.
/// </para>
/// </remarks>
public sealed partial class AtPic : IAtPic, IExternalInterruptSource, IPortHandler
{
    /// <summary>How many interrupt requests the pair has.</summary>
    public const int RequestCount = 16;

    private readonly Lock _lock = new();
    private readonly IInterruptLine _output;
    private readonly Action<int>? _ended;
    private readonly Pic8259 _master = new(isMaster: true, elcrMask: 0xf8);
    private readonly Pic8259 _slave = new(isMaster: false, elcrMask: 0xde);
    private bool _interrupt;
    private bool _slaveOutput;
    private int _unpublished;

    /// <summary>Makes the pair, not initialized.</summary>
    /// <param name="output">
    /// The INTR wire. Driven with no lock held and by one thread at a time; it is told only of changes.
    /// </param>
    /// <param name="ended">
    /// Told the request whenever an interrupt of it ends, by command or automatically, so that a device whose request is held up for it can
    /// look at its source again. Called with no lock held, on the thread that ended or acknowledged the interrupt.
    /// </param>
    public AtPic(IInterruptLine output, Action<int>? ended = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        _ended = ended;
    }

    /// <summary>The ports that belong to the pair.</summary>
    public static ReadOnlySpan<ushort> Ports => [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1];

    /// <summary>Whether INTR is high: whether <see cref="Acknowledge"/> would give an interrupt that is not spurious.</summary>
    public bool IsInterruptRequested => Volatile.Read(ref _interrupt);

    /// <inheritdoc/>
    public void AssertIrq(int irq)
    {
        const string Operation = "vatpic_assert_irq";
        if (!TryDrive(Chip(irq, Operation), irq, asserted: true))
        {
            ChipThrow.TooMany(Operation, irq);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Before the guest has initialized the chip nothing is refused: its counters start at zero then.</remarks>
    public void DeassertIrq(int irq)
    {
        const string Operation = "vatpic_deassert_irq";
        if (!TryDrive(Chip(irq, Operation), irq, asserted: false))
        {
            ChipThrow.NotAsserted(Operation, irq);
        }
    }

    /// <inheritdoc/>
    public void PulseIrq(int irq)
    {
        Pic8259 chip = Chip(irq, "vatpic_pulse_irq");
        bool changed;
        lock (_lock)
        {
            // A full counter means that the pin is asserted: a pulse has no edge then and cannot be refused.
            if (chip.Assert(irq & 7))
            {
                changed = Update();
                chip.Deassert(irq & 7);
                changed |= Update();
            }
            else
            {
                changed = false;
            }
        }

        Publish(changed);
    }

    /// <inheritdoc/>
    public void SetTrigger(int irq, bool level)
    {
        Pic8259 chip = Chip(irq, "vatpic_set_irq_trigger");
        bool known;
        bool changed;
        lock (_lock)
        {
            known = chip.TrySetTrigger(irq & 7, level);
            changed = Update();
        }

        Publish(changed);
        if (!known)
        {
            ChipThrow.Invalid("vatpic_set_irq_trigger", $"request {irq} is edge-triggered by wiring");
        }
    }

    /// <inheritdoc/>
    /// <remarks>A spurious interrupt is pin 7 of the chip whose request has gone; it is not put in service.</remarks>
    public byte Acknowledge()
    {
        byte vector;
        int ended;
        bool changed;
        lock (_lock)
        {
            vector = AcknowledgeLocked();
            ended = TakeEnded();
            changed = ended == 0 && Update();
        }

        Publish(ended == 0 ? changed : TellEnded(ended));
        return vector;
    }

    /// <summary>The guest reads a port.</summary>
    /// <param name="port">One of <see cref="Ports"/>.</param>
    /// <param name="bytes">The width; only 1 is answered.</param>
    /// <param name="value">The value.</param>
    /// <returns>Refused for another width, unclaimed for another port.</returns>
    public PortOutcome ReadPort(ushort port, int bytes, out uint value)
    {
        value = 0;
        if (bytes != 1)
        {
            return PortOutcome.Refused;
        }

        PortOutcome outcome = PortOutcome.Handled;
        int ended;
        bool changed;
        lock (_lock)
        {
            switch (port)
            {
                case 0x20 or 0x21:
                    value = _master.Read((port & 1) != 0);
                    break;
                case 0xa0 or 0xa1:
                    // A poll acknowledges, which the output shows by going low for a moment.
                    _slaveOutput &= !_slave.Polls;
                    value = _slave.Read((port & 1) != 0);
                    break;
                case 0x4d0:
                    value = _master.LevelTriggered;
                    break;
                case 0x4d1:
                    value = _slave.LevelTriggered;
                    break;
                default:
                    outcome = PortOutcome.Unclaimed;
                    break;
            }

            ended = TakeEnded();
            changed = ended == 0 && Update();
        }

        Publish(ended == 0 ? changed : TellEnded(ended));
        return outcome;
    }

    /// <summary>The guest writes a port.</summary>
    /// <param name="port">One of <see cref="Ports"/>.</param>
    /// <param name="bytes">The width; only 1 is accepted.</param>
    /// <param name="value">The value.</param>
    /// <returns>
    /// Refused for another width and for an initialization that a PC/AT cannot have (a single chip, no 8086 mode);
    /// unclaimed for another port.
    /// </returns>
    public PortOutcome WritePort(ushort port, int bytes, uint value)
    {
        if (bytes != 1)
        {
            return PortOutcome.Refused;
        }

        PortOutcome outcome = PortOutcome.Handled;
        bool accepted = true;
        byte data = (byte)value;
        int ended;
        bool changed;
        lock (_lock)
        {
            switch (port)
            {
                case 0x20:
                    accepted = _master.WriteCommand(data);
                    break;
                case 0x21:
                    accepted = _master.WriteData(data);
                    break;
                case 0xa0:
                    accepted = _slave.WriteCommand(data);
                    break;
                case 0xa1:
                    accepted = _slave.WriteData(data);
                    break;
                case 0x4d0:
                    _master.SetLevelTriggered(data);
                    break;
                case 0x4d1:
                    _slave.SetLevelTriggered(data);
                    break;
                default:
                    outcome = PortOutcome.Unclaimed;
                    break;
            }

            ended = TakeEnded();
            changed = ended == 0 && Update();
        }

        Publish(ended == 0 ? changed : TellEnded(ended));
        return accepted ? outcome : PortOutcome.Refused;
    }

    /// <inheritdoc/>
    PortOutcome IPortHandler.Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value) => ReadPort(port, bytes, out value);

    /// <inheritdoc/>
    PortOutcome IPortHandler.Write(IVirtualCpu vcpu, ushort port, int bytes, uint value) => WritePort(port, bytes, value);

    /// <summary>Counts one assertion up or down.</summary>
    /// <returns>Whether the counter could.</returns>
    private bool TryDrive(Pic8259 chip, int irq, bool asserted)
    {
        bool counted;
        bool changed;
        lock (_lock)
        {
            counted = asserted ? chip.Assert(irq & 7) : chip.Deassert(irq & 7);
            changed = Update();
        }

        Publish(changed);
        return counted;
    }

    private byte AcknowledgeLocked()
    {
        int pin = _master.HighestRequest();
        if (pin < 0)
        {
            return (byte)(_master.VectorBase + Pic8259.SpuriousPin);
        }

        _master.Accept(pin);
        if (pin != Pic8259.CascadePin)
        {
            return (byte)(_master.VectorBase + pin);
        }

        int slavePin = _slave.HighestRequest();
        if (slavePin < 0)
        {
            return (byte)(_slave.VectorBase + Pic8259.SpuriousPin);
        }

        // The output goes low during the acknowledge cycle: a request that waits rises anew.
        _slave.Accept(slavePin);
        _slaveOutput = false;
        return (byte)(_slave.VectorBase + slavePin);
    }

    private int TakeEnded() =>
        (_master.TakeEnded() | (_slave.TakeEnded() << Pic8259.Pins)) & (_ended is null ? 0 : ~(1 << Pic8259.CascadePin));

    /// <summary>Tells of ends, and only then looks at the requests again: one that falls now does not interrupt.</summary>
    /// <returns>Whether the output changes.</returns>
    private bool TellEnded(int requests)
    {
        for (; requests != 0; requests &= requests - 1)
        {
            _ended!(System.Numerics.BitOperations.TrailingZeroCount(requests));
        }

        lock (_lock)
        {
            return Update();
        }
    }

    private Pic8259 Chip(int irq, string operation)
    {
        if ((uint)irq >= RequestCount)
        {
            ChipThrow.Invalid(operation, $"there is no request {irq}");
        }

        return irq < Pic8259.Pins ? _master : _slave;
    }

    private bool Update()
    {
        // The slave's output is wired to the master's edge-triggered pin 2.
        bool slave = _slave.HighestRequest() >= 0;
        if (slave && !_slaveOutput)
        {
            _master.LatchCascade();
        }

        _slaveOutput = slave;
        bool now = _master.HighestRequest() >= 0;
        bool changed = now != _interrupt;
        Volatile.Write(ref _interrupt, now);
        return changed;
    }

    // One thread at a time drives the output, always to the newest level: changes made meanwhile are left to it.
    private void Publish(bool changed)
    {
        if (!changed || Interlocked.Increment(ref _unpublished) != 1)
        {
            return;
        }

        int published = 1;
        do
        {
            _output.SetLevel(Volatile.Read(ref _interrupt));
            published = Interlocked.Add(ref _unpublished, -published);
        }
        while (published != 0);
    }
}
