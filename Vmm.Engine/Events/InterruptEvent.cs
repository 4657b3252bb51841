// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Engine.Time;

namespace Vmm.Engine.Events;

/// <summary>One registration of an event that raises an interrupt. Under the lock of the VM's time, as all of them; see there.</summary>
internal sealed class InterruptEvent : IDisposable
{
    private readonly VirtualTime _time;
    private readonly Func<InterruptEvent, IDisposable> _enter;
    private readonly List<InterruptEvent> _others;
    private IDisposable? _entered;

    /// <summary>Keeps the descriptors open from here on.</summary>
    /// <exception cref="ObjectDisposedException">One is disposed.</exception>
    public InterruptEvent(
        VirtualTime time, SafeHandle trigger, SafeHandle? resample, Func<InterruptEvent, IDisposable> enter, List<InterruptEvent> others)
    {
        _time = time;
        _enter = enter;
        _others = others;
        Trigger = trigger;
        Resample = resample;
        bool held = false;
        trigger.DangerousAddRef(ref held);
        try
        {
            held = false;
            resample?.DangerousAddRef(ref held);
        }
        catch (ObjectDisposedException)
        {
            trigger.DangerousRelease();
            throw;
        }

        Number = trigger.DangerousGetHandle();
        IsAttached = true;
        others.Add(this);
    }

    /// <summary>The event.</summary>
    public SafeHandle Trigger { get; }

    /// <summary>The event by which the device learns that its interrupt has ended, or null.</summary>
    public SafeHandle? Resample { get; }

    /// <summary>The number of <see cref="Trigger"/>.</summary>
    public nint Number { get; }

    /// <summary>Whether the event still raises the interrupt.</summary>
    public bool IsAttached { get; private set; }

    /// <summary>Begins to wait, or to let the hypervisor wait.</summary>
    public void Enter() => _entered ??= _enter(this);

    /// <summary>Waits no more.</summary>
    public void Leave()
    {
        _entered?.Dispose();
        _entered = null;
    }

    /// <summary>Ends the registration. Any thread.</summary>
    public void Dispose()
    {
        using (_time.KeepTimerOut())
        {
            if (IsAttached)
            {
                Leave();
                Abandon();
            }
        }
    }

    /// <summary>Lets the descriptors go.</summary>
    public void Abandon()
    {
        IsAttached = false;
        _others.Remove(this);
        Trigger.DangerousRelease();
        Resample?.DangerousRelease();
    }
}
