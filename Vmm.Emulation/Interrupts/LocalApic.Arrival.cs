// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <content>What arrives: messages of the bus, local interrupts, the line of the 8259 pair, errors.</content>
public sealed partial class LocalApic
{
    /// <inheritdoc/>
    public void SetInterrupt(byte vector, bool level)
    {
        if (vector < ApicBits.FirstLegalVector)
        {
            ChipThrow.Invalid("lapic_set_intr", $"vector {vector} belongs to an exception");
        }

        AcceptFixed(vector, level);
    }

    /// <inheritdoc/>
    public void SetLocalInterrupt(int index)
    {
        if ((uint)index >= LocalVectors)
        {
            ChipThrow.Invalid("lapic_set_local_intr", $"there is no local interrupt {index}");
        }

        Fire((LocalVector)index);
    }

    /// <summary>
    /// Drives the line of local interrupt 0, where the 8259 pair is wired to. In ExtINT mode the level counts; in other
    /// modes its rise is an interrupt. Any thread, one at a time.
    /// </summary>
    /// <param name="asserted">The level.</param>
    public void SetLint0(bool asserted)
    {
        bool before = Volatile.Read(ref _lint0);
        Volatile.Write(ref _lint0, asserted);
        if (!asserted || before)
        {
            return;
        }

        if (AcceptsExternalInterrupts)
        {
            _sink.ExternalInterrupt();
        }
        else
        {
            Fire(LocalVector.Lint0);
        }
    }

    /// <summary>Makes one external interrupt pending, as a message in ExtINT mode does. Any thread.</summary>
    public void RequestExternalInterrupt()
    {
        Volatile.Write(ref _externalPending, true);
        _sink.ExternalInterrupt();
    }

    /// <summary>Takes a message from the bus.</summary>
    internal bool Receive(in InterruptMessage message)
    {
        switch (message.Mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                return AcceptFixed(message.Vector, message.IsLevel);
            case DeliveryMode.Nmi:
                _sink.Nmi();
                return true;
            case DeliveryMode.Init:
                _sink.Init();
                return true;
            case DeliveryMode.StartUp:
                _sink.StartUp(message.Vector);
                return true;
            case DeliveryMode.ExternalInterrupt:
                RequestExternalInterrupt();
                return true;
            default:
                return false;
        }
    }

    /// <summary>Whether it should take a lowest-priority message rather than another one, which comes first on a tie.</summary>
    internal bool IsBetterThan(LocalApic? other) =>
        IsSoftwareEnabled && (other is null || ProcessorPriority < other.ProcessorPriority);

    /// <summary>Whether an 8-bit logical destination names it in xAPIC mode.</summary>
    internal bool HasLogicalId(uint destination)
    {
        const uint Flat = 0xf;
        const uint Cluster = 0;
        const uint ClusterNumber = 0xf0;
        const uint Member = 0x0f;
        if (destination > byte.MaxValue)
        {
            return false;
        }

        uint own = Volatile.Read(ref _logicalId) >> 24;
        return (Volatile.Read(ref _destinationFormat) >> 28) switch
        {
            Flat => (own & destination) != 0,
            Cluster => (own & ClusterNumber) == (destination & ClusterNumber) && (own & destination & Member) != 0,
            _ => false,
        };
    }

    private static DeliveryMode ModeOfLvt(uint lvt) =>
        (DeliveryMode)((lvt & ApicBits.LvtDeliveryMode) >> ApicBits.LvtDeliveryModeShift);

    private bool AcceptFixed(byte vector, bool level)
    {
        if (!IsSoftwareEnabled || Mode == ApicMode.Disabled)
        {
            return false;
        }

        if (vector < ApicBits.FirstLegalVector)
        {
            RaiseError(ApicBits.ErrorReceiveIllegal);
            return false;
        }

        // The trigger mode first: who sees the request also sees how it came.
        _triggerMode.Assign(vector, level);

        if (_request.Set(vector))
        {
            _sink.InterruptPending();
        }

        return true;
    }

    private void Fire(LocalVector local)
    {
        if (Mode == ApicMode.Disabled || !IsSoftwareEnabled)
        {
            FireDisabled(local);
            return;
        }

        uint lvt = ReadLvt(local);
        if ((lvt & ApicBits.LvtMasked) != 0)
        {
            return;
        }

        if (local == LocalVector.Performance)
        {
            // SDM volume 3, "Local Vector Table": the processor sets the mask when it delivers this one.
            Interlocked.Or(ref _lvt[(int)local], ApicBits.LvtMasked);
        }

        bool isPin = local is LocalVector.Lint0 or LocalVector.Lint1;
        switch (ModeOfLvt(lvt))
        {
            case DeliveryMode.Fixed:
                FireFixed(local, (byte)lvt, isPin && (lvt & ApicBits.LvtLevel) != 0);
                break;
            case DeliveryMode.Nmi:
                _sink.Nmi();
                break;
            case DeliveryMode.Init when isPin:
                _sink.Init();
                break;
            case DeliveryMode.ExternalInterrupt when isPin:
                RequestExternalInterrupt();
                break;
            default:
                break;
        }
    }

    // A disabled local APIC is out of the way: its two pins are the processor's INTR and NMI.
    private void FireDisabled(LocalVector local)
    {
        if (local == LocalVector.Lint0)
        {
            RequestExternalInterrupt();
        }
        else if (local == LocalVector.Lint1)
        {
            _sink.Nmi();
        }
    }

    private void FireFixed(LocalVector local, byte vector, bool level)
    {
        if (vector >= ApicBits.FirstLegalVector)
        {
            AcceptFixed(vector, level);
        }
        else if (local != LocalVector.Error)
        {
            RaiseError(ApicBits.ErrorSendIllegal);
        }
        else
        {
            // The report of an error cannot report itself.
            Interlocked.Or(ref _pendingErrors, ApicBits.ErrorSendIllegal);
        }
    }

    private void RaiseError(uint error)
    {
        Interlocked.Or(ref _pendingErrors, error);
        Fire(LocalVector.Error);
    }
}
