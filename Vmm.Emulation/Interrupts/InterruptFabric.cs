// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Interrupts;

/// <summary>The bus between local APICs, I/O APICs and devices that send messages: one per VM. Any thread.</summary>
/// <remarks>
/// Delivering takes no lock and allocates nothing. A message to one physical id, or to a logical id of processors in
/// x2APIC mode, looks at its targets only; logical ids of the xAPIC are compared one processor after the other, as the bus
/// does. Only attached local APICs receive.
/// </remarks>
public sealed class InterruptFabric
{
    private readonly Lock _attachLock = new();
    private readonly LocalApic?[] _byId;
    private readonly Func<InterruptMessage, bool>? _elsewhere;
    private LocalApic[] _attached = [];
    private IoApic[] _ioApics = [];
    private int _notX2;

    /// <summary>Makes a bus.</summary>
    /// <param name="maximumApicId">The highest id that a local APIC will have, at most 32767.</param>
    /// <param name="extendedDestinations">
    /// Whether messages of devices and I/O APICs carry 15 bits of destination (see <see cref="Msi.TryDecode"/>).
    /// </param>
    /// <param name="elsewhere">
    /// Delivers messages to local APICs that are not here but in the hypervisor, and says whether one took it; null when they are here.
    /// </param>
    public InterruptFabric(
        int maximumApicId = 254, bool extendedDestinations = false, Func<InterruptMessage, bool>? elsewhere = null)
    {
        const int Limit = 32767;
        ArgumentOutOfRangeException.ThrowIfNegative(maximumApicId);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maximumApicId, Limit);
        _byId = new LocalApic?[maximumApicId + 1];
        HasExtendedDestinations = extendedDestinations;
        _elsewhere = elsewhere;
    }

    /// <summary>Whether messages of devices and I/O APICs carry 15 bits of destination.</summary>
    public bool HasExtendedDestinations { get; }

    /// <summary>Lets a local APIC receive: its processor is active. Again does nothing.</summary>
    /// <param name="apic">The local APIC.</param>
    /// <exception cref="VmmException">EINVAL: its id is too high; EEXIST: another has the same.</exception>
    public void Attach(LocalApic apic)
    {
        ArgumentNullException.ThrowIfNull(apic);
        lock (_attachLock)
        {
            if (apic.Id >= (uint)_byId.Length)
            {
                ChipThrow.Invalid(nameof(Attach), $"APIC id {apic.Id} is above {_byId.Length - 1}");
            }

            LocalApic? present = _byId[apic.Id];
            if (present == apic)
            {
                return;
            }

            if (present is not null)
            {
                throw new VmmException(nameof(Attach), VmmError.EEXIST, $"APIC id {apic.Id} is taken");
            }

            // In the order of their ids, which decides among equals.
            Volatile.Write(ref _attached, [.. _attached.Append(apic).OrderBy(static each => each.Id)]);
            Volatile.Write(ref _byId[apic.Id], apic);
        }
    }

    /// <summary>Sends the ends of interrupts to an I/O APIC.</summary>
    /// <param name="ioApic">The I/O APIC.</param>
    internal void Attach(IoApic ioApic)
    {
        lock (_attachLock)
        {
            Volatile.Write(ref _ioApics, [.. _ioApics, ioApic]);
        }
    }

    /// <summary>Delivers a device's message.</summary>
    /// <param name="address">The address written.</param>
    /// <param name="data">The data written.</param>
    /// <returns>Whether a processor took it. Start-up is not for devices and is not delivered.</returns>
    public bool SignalMsi(ulong address, uint data) =>
        Msi.TryDecode(address, data, HasExtendedDestinations, out InterruptMessage message) &&
        message.Mode != DeliveryMode.StartUp &&
        Deliver(message);

    /// <summary>Delivers a message.</summary>
    /// <param name="message">The message.</param>
    /// <returns>Whether a processor took it.</returns>
    public bool Deliver(in InterruptMessage message)
    {
        if (_elsewhere is not null)
        {
            return _elsewhere(message);
        }

        Targets targets = new(this, message);
        if (message.Mode == DeliveryMode.LowestPriority)
        {
            return DeliverLowest(targets, message);
        }

        bool taken = false;
        while (targets.MoveNext())
        {
            taken |= targets.Current.Receive(message);
        }

        return taken;
    }

    /// <summary>Delivers a processor's message to every other, and to itself if wanted.</summary>
    internal void DeliverToAll(in InterruptMessage message, LocalApic? except)
    {
        LocalApic? lowest = null;
        foreach (LocalApic apic in Volatile.Read(ref _attached))
        {
            if (apic == except || apic.Mode == ApicMode.Disabled)
            {
                continue;
            }

            if (message.Mode != DeliveryMode.LowestPriority)
            {
                apic.Receive(message);
            }
            else if (apic.IsBetterThan(lowest))
            {
                lowest = apic;
            }
        }

        lowest?.Receive(message);
    }

    /// <summary>Tells the I/O APICs that a level-triggered interrupt has ended.</summary>
    internal void EndOfInterrupt(byte vector)
    {
        foreach (IoApic ioApic in Volatile.Read(ref _ioApics))
        {
            ioApic.EndOfInterrupt(vector);
        }
    }

    /// <summary>Keeps the count of local APICs that do not derive their logical id.</summary>
    internal void ModeChanged(ApicMode before, ApicMode after)
    {
        int change = (after == ApicMode.X2Apic ? 0 : 1) - (before == ApicMode.X2Apic ? 0 : 1);
        Interlocked.Add(ref _notX2, change);
    }

    /// <summary>Counts a new local APIC, which begins in xAPIC mode.</summary>
    internal void Created() => Interlocked.Increment(ref _notX2);

    private static bool DeliverLowest(Targets targets, in InterruptMessage message)
    {
        LocalApic? lowest = null;
        while (targets.MoveNext())
        {
            if (targets.Current.IsBetterThan(lowest))
            {
                lowest = targets.Current;
            }
        }

        return lowest is not null && lowest.Receive(message);
    }

    private LocalApic? Find(uint id) => id < (uint)_byId.Length ? Volatile.Read(ref _byId[id]) : null;

    /// <summary>Enumerates the local APICs that a destination names; disabled ones never hear a message.</summary>
    private ref struct Targets
    {
        private readonly InterruptFabric _fabric;
        private readonly InterruptMessage _message;
        private readonly LocalApic[] _scanned;
        private uint _ids;
        private uint _firstId;
        private int _index;

        public Targets(InterruptFabric fabric, in InterruptMessage message)
        {
            _fabric = fabric;
            _message = message;
            _scanned = [];
            if (message.IsBroadcast)
            {
                _scanned = Volatile.Read(ref fabric._attached);
            }
            else if (message.IsLogical)
            {
                // The logical id of x2APIC mode is made of the id: which cluster of 16, and which in it.
                _firstId = (message.Destination >> 16) << 4;
                _ids = message.Destination & 0xffff;
                _scanned = Volatile.Read(ref fabric._notX2) != 0 ? Volatile.Read(ref fabric._attached) : [];
            }
            else
            {
                _firstId = message.Destination;
                _ids = 1;
            }

            Current = null!;
        }

        public LocalApic Current { get; private set; }

        public bool MoveNext()
        {
            while (_ids != 0)
            {
                uint id = _firstId + (uint)System.Numerics.BitOperations.TrailingZeroCount(_ids);
                _ids &= _ids - 1;
                if (_fabric.Find(id) is { } apic && Hears(apic, derived: true))
                {
                    Current = apic;
                    return true;
                }
            }

            while (_index < _scanned.Length)
            {
                LocalApic apic = _scanned[_index++];
                if (Hears(apic, derived: false))
                {
                    Current = apic;
                    return true;
                }
            }

            return false;
        }

        private readonly bool Hears(LocalApic apic, bool derived)
        {
            ApicMode mode = apic.Mode;
            if (mode == ApicMode.Disabled)
            {
                return false;
            }

            if (!_message.IsLogical || _message.IsBroadcast)
            {
                return true;
            }

            return derived ? mode == ApicMode.X2Apic : mode == ApicMode.XApic && apic.HasLogicalId(_message.Destination);
        }
    }
}
