// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;

namespace Vmm.Engine.Events;

/// <summary>
/// The eventfds that raise a VM's interrupts: by the hypervisor where it has the controllers, by <see cref="EventThread"/> into the engine's
/// where it has not.
/// </summary>
/// <remarks>
/// Any thread. The lock is that of <see cref="Time.VirtualTime"/>, under which the timer thread runs chips and a reinitialization replaces
/// them, so that none of the three meets another.
/// </remarks>
internal sealed class InterruptEvents(VirtualMachine machine)
{
    private const string Operation = "AttachEvent";

    private readonly List<InterruptEvent> _attached = [];
    private readonly Dictionary<int, ResampledLine> _shared = [];
    private ResampledLine?[] _resampled = [];

    /// <summary>Attaches an event to an input of the controllers.</summary>
    public IDisposable AttachLine(int line, SafeHandle trigger, SafeHandle? resample)
    {
        IInterruptLine wire = machine.GetInterruptLine(line);
        return Attach(trigger, resample, attached => machine.HasIoApic
            ? AttachHere(attached, resample is null ? () => machine.RequireChips().Pulse(line) : () => wire.SetLevel(true), (line, wire))
            : InHypervisor().AttachLine(line, trigger, resample));
    }

    /// <summary>Attaches an event to a message.</summary>
    public IDisposable AttachMessage(ulong address, uint data, SafeHandle trigger)
    {
        if (machine.InterruptControllerMode == InterruptControllerMode.Userspace && !machine.HasLocalApics)
        {
            EngineThrow.Refuse(Operation, VmmError.ENOTSUP, "nothing in this VM takes messages");
        }

        return Attach(trigger, null, attached => machine.HasLocalApics
            ? AttachHere(attached, () => machine.RequireChips().SignalMessage(address, data), null)
            : InHypervisor().AttachMessage(address, data, trigger));
    }

    /// <summary>An interrupt of the engine's controllers has ended: what its events held up falls, and their devices look again.</summary>
    public void Ended(int line)
    {
        ResampledLine?[] resampled = Volatile.Read(ref _resampled);
        if (line < resampled.Length && resampled[line] is { } shared)
        {
            shared.Wire.SetLevel(false);
            foreach (SafeHandle device in Volatile.Read(ref shared.Devices))
            {
                Signal(device);
            }
        }
    }

    /// <summary>The controllers go: nothing is raised until there are new ones. Under the lock.</summary>
    public void Leave()
    {
        foreach (InterruptEvent attached in _attached)
        {
            attached.Leave();
        }
    }

    /// <summary>The controllers are new. Under the lock.</summary>
    public void Enter()
    {
        foreach (InterruptEvent attached in _attached)
        {
            attached.Enter();
        }
    }

    /// <summary>Ends all registrations.</summary>
    public void Dispose()
    {
        using (machine.Time.KeepTimerOut())
        {
            foreach (InterruptEvent attached in _attached.ToArray())
            {
                attached.Dispose();
            }
        }
    }

    private InterruptEvent Attach(SafeHandle trigger, SafeHandle? resample, Func<InterruptEvent, IDisposable> enter)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        using (machine.Time.KeepTimerOut())
        {
            ObjectDisposedException.ThrowIf(machine.IsDisposed, machine);
            InterruptEvent attached = new(machine.Time, trigger, resample, enter, _attached);
            try
            {
                EventDescriptor.Require(Operation, trigger);
                EventDescriptor.Require(Operation, resample);
                if (_attached.Exists(other => other != attached && other.Number == attached.Number))
                {
                    EngineThrow.Busy(Operation, "the event raises an interrupt already");
                }

                attached.Enter();
                return attached;
            }
            catch
            {
                attached.Abandon();
                throw;
            }
        }
    }

    private Registration AttachHere(InterruptEvent attached, Action raise, (int Line, IInterruptLine Wire)? held)
    {
        if (machine.HypervisorBackend is not IHostEvents host)
        {
            EngineThrow.Refuse(Operation, VmmError.ENOTSUP, "the hypervisor's host does not wait for events");
            return null;
        }

        attached.WaitOn(EventThread.For(host), () => Raise(host, attached, raise));
        if (attached.Resample is { } device && held is { } resampled)
        {
            Share(resampled.Line, resampled.Wire, device);
        }

        return new Registration(() =>
        {
            attached.StopWaiting();
            if (attached.Resample is { } gone && held is { } line)
            {
                Unshare(line.Line, gone);
            }
        });
    }

    /// <summary>On the thread that waits; what a device or a descriptor does wrong ends its registration and nothing else.</summary>
    private void Raise(IHostEvents host, InterruptEvent attached, Action raise)
    {
        using (machine.Time.KeepTimerOut())
        {
            try
            {
                if (attached.IsAttached && host.TakeEvent(attached.Trigger) != 0)
                {
                    raise();
                }
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                EngineLog.EventFailed(machine.Log, machine.Name, error);
                attached.Dispose();
            }
        }
    }

    private void Share(int line, IInterruptLine wire, SafeHandle device)
    {
        if (!_shared.TryGetValue(line, out ResampledLine? shared))
        {
            shared = new ResampledLine(wire);
            _shared.Add(line, shared);
            ResampledLine?[] resampled = new ResampledLine?[Math.Max(_resampled.Length, line + 1)];
            _resampled.CopyTo(resampled, 0);
            resampled[line] = shared;
            Volatile.Write(ref _resampled, resampled);
        }

        Volatile.Write(ref shared.Devices, [.. shared.Devices, device]);
    }

    private void Unshare(int line, SafeHandle device)
    {
        ResampledLine shared = _shared[line];
        Volatile.Write(ref shared.Devices, [.. shared.Devices.Where(other => other != device)]);
        if (shared.Devices.Length == 0)
        {
            shared.Wire.SetLevel(false);
        }
    }

    private void Signal(SafeHandle device)
    {
        try
        {
            ((IHostEvents)machine.HypervisorBackend).SignalEvent(device);
        }
        catch (Exception error) when (error is VmmException or ObjectDisposedException)
        {
            // The counter is full, so the device has been told; or its registration ends at this moment.
            EngineLog.EventNotSignalled(machine.Log, machine.Name, error);
        }
    }

    private IBackendInterruptEvents InHypervisor()
    {
        if (machine.BackendVm is IBackendInterruptEvents events)
        {
            return events;
        }

        EngineThrow.Refuse(Operation, VmmError.ENOTSUP, "the hypervisor has the interrupt controllers and takes no events");
        return null;
    }

    /// <summary>An input that events hold up together.</summary>
    private sealed class ResampledLine(IInterruptLine wire)
    {
        public IInterruptLine Wire { get; } = wire;

        public SafeHandle[] Devices = [];
    }
}
