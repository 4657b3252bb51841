// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Engine.Events;

namespace Vmm.Engine.Devices;

/// <summary>
/// The doorbells and coalesced ranges of a VM. A look-up takes no lock; registrations are made and ended under one, under which the
/// hypervisor is told too.
/// </summary>
internal sealed class DeviceNotifications(VirtualMachine machine)
{
    private readonly Lock _lock = new();
    private readonly RangeTable<DoorbellSet>[] _doorbells = [new(), new()];
    private readonly RangeTable<CoalescedRange>[] _ranges = [new(), new()];
    private readonly List<DeviceRegistration> _registrations = [];
    private bool _mayHaveCollected;
    private int _hasNotedFull;

    /// <summary>Held while collected writes reach their handlers, so that they arrive in order.</summary>
    public Lock DeliveryLock { get; } = new();

    /// <summary>Whether the hypervisor may have collected writes. Once it may, it is asked at each exit.</summary>
    public bool MayHaveCollected => Volatile.Read(ref _mayHaveCollected);

    /// <summary>Adds to the eventfd of the doorbell that a write rings, if it rings one. Any thread.</summary>
    public bool TryRing(BusKind bus, ulong address, int length, ulong value) =>
        TryFind(bus, address, out DoorbellSet? set) && set!.TryRing(length, value);

    /// <summary>Whether there is a doorbell at an address.</summary>
    public bool HasDoorbell(BusKind bus, ulong address) => TryFind(bus, address, out _);

    public DoorbellRegistration AttachDoorbell(in Doorbell doorbell, SafeHandle target)
    {
        const string Operation = "AttachDoorbell";
        ArgumentNullException.ThrowIfNull(target);
        Check(Operation, doorbell);
        if (machine.HypervisorBackend is not IHostEvents host)
        {
            EngineThrow.Refuse(Operation, VmmError.ENOTSUP, "the backend cannot signal events");
            return null;
        }

        DoorbellRegistration registration = new(this, host, doorbell, target);
        try
        {
            EventDescriptor.Require(Operation, target);
            Insert(Operation, registration);
            return registration;
        }
        catch
        {
            registration.Release();
            throw;
        }
    }

    public CoalescedRange Coalesce(BusKind bus, ulong first, ulong length)
    {
        const string Operation = "Coalesce";
        if (!Enum.IsDefined(bus)
            || length is 0 or > uint.MaxValue
            || first > Last(bus)
            || length - 1 > Last(bus) - first)
        {
            EngineThrow.Invalid(Operation, $"{length} bytes from 0x{first:x} are no range of a bus");
        }

        CoalescedRange range = new(this, bus, first, (uint)length);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(machine.IsDisposed, machine);
            ulong last = first + length - 1;
            if (_doorbells[(int)bus].Overlaps(first, last) || !_ranges[(int)bus].TryAdd(first, last, range))
            {
                Refuse(Operation, range);
            }

            Enter(range);
        }

        return range;
    }

    /// <summary>Ends a doorbell.</summary>
    public void Remove(DoorbellRegistration registration)
    {
        lock (_lock)
        {
            if (Leave(registration) && TryFind(registration.Doorbell.Bus, registration.Doorbell.Address, out DoorbellSet? set))
            {
                set!.Remove(registration);
                if (set.Bells.IsEmpty)
                {
                    _doorbells[(int)registration.Doorbell.Bus].Remove(registration.Doorbell.Address);
                }

                registration.Release();
            }
        }
    }

    /// <summary>Ends a coalesced range. What was collected before still reaches its handlers.</summary>
    public void Remove(CoalescedRange range)
    {
        lock (_lock)
        {
            if (Leave(range))
            {
                _ranges[(int)range.Bus].Remove(range.First);
            }
        }
    }

    /// <summary>A write added nothing. Said once for a VM: the guest can do it all the time.</summary>
    public void NoteFull(DoorbellRegistration registration)
    {
        if (Interlocked.Exchange(ref _hasNotedFull, 1) == 0)
        {
            EngineLog.DoorbellFull(machine.Log, machine.Name, registration);
        }
    }

    /// <summary>The hypervisor's VM goes: it takes its part of the registrations with it.</summary>
    public void Withdraw()
    {
        lock (_lock)
        {
            _registrations.ForEach(static registration => registration.Detach());
        }
    }

    /// <summary>There is a new VM of the hypervisor's.</summary>
    public void Restore()
    {
        lock (_lock)
        {
            _registrations.ForEach(Offer);
        }
    }

    private void Insert(string operation, DoorbellRegistration registration)
    {
        Doorbell doorbell = registration.Doorbell;
        ulong last = doorbell.Address + (ulong)Math.Max(doorbell.Length, 1) - 1;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(machine.IsDisposed, machine);
            RangeTable<DoorbellSet> table = _doorbells[(int)doorbell.Bus];
            if (TryFind(doorbell.Bus, doorbell.Address, out DoorbellSet? set))
            {
                if (!set!.Admits(doorbell))
                {
                    Refuse(operation, registration);
                }
            }
            else
            {
                set = new DoorbellSet();
                if (_ranges[(int)doorbell.Bus].Overlaps(doorbell.Address, last) || !table.TryAdd(doorbell.Address, last, set))
                {
                    Refuse(operation, registration);
                }
            }

            set.Add(registration);
            Enter(registration);
        }
    }

    private static ulong Last(BusKind bus) => bus == BusKind.Port ? ushort.MaxValue : ulong.MaxValue;

    private static void Check(string operation, in Doorbell doorbell)
    {
        bool isWidth = doorbell.Length is 0 or 1 or 2 or 4 || (doorbell.Length == 8 && doorbell.Bus == BusKind.Memory);
        if (!Enum.IsDefined(doorbell.Bus) || !isWidth)
        {
            EngineThrow.Invalid(operation, $"no write is like {doorbell}");
        }

        ulong last = Last(doorbell.Bus);
        if (doorbell.Address > last || (ulong)Math.Max(doorbell.Length, 1) - 1 > last - doorbell.Address)
        {
            EngineThrow.Invalid(operation, $"{doorbell} is not on its bus");
        }

        if (doorbell.Value is { } value && (doorbell.Length == 0 || (doorbell.Length < 8 && value >> (doorbell.Length * 8) != 0)))
        {
            EngineThrow.Invalid(operation, $"no write has the value of {doorbell}");
        }
    }

    private static void Refuse(string operation, DeviceRegistration registration) =>
        EngineThrow.Refuse(operation, VmmError.EEXIST, $"the {registration} overlaps another registration");

    private bool TryFind(BusKind bus, ulong address, out DoorbellSet? set)
    {
        bool found = _doorbells[(int)bus].TryFind(address, out RangeTable<DoorbellSet>.Entry entry) && entry.First == address;
        set = entry.Value;
        return found;
    }

    private void Enter(DeviceRegistration registration)
    {
        _registrations.Add(registration);
        Offer(registration);
    }

    private void Offer(DeviceRegistration registration)
    {
        if (registration is CoalescedRange)
        {
            Volatile.Write(ref _mayHaveCollected, true);
        }

        try
        {
            registration.Attach(machine.BackendVm);
        }
        catch (VmmException refusal)
        {
            // The engine does the same at the write's exit.
            EngineLog.NotTakenByHypervisor(machine.Log, machine.Name, registration, refusal.Message);
            return;
        }

        if (!registration.IsTakenByHypervisor)
        {
            EngineLog.NotTakenByHypervisor(machine.Log, machine.Name, registration, "it has no such thing, or no room");
        }
    }

    private bool Leave(DeviceRegistration registration)
    {
        if (!_registrations.Remove(registration))
        {
            return false;
        }

        registration.Detach();
        return true;
    }
}
