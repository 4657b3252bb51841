// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Engine.Time;

namespace Vmm.Engine.Events;

/// <summary>One registration of an event that raises an interrupt. Under the lock of the VM's time, as all of them; see there.</summary>
/// <remarks>
/// The thread that waits knows it by a weak reference, so that a VM that its owner forgets is nobody's. What of it the collector does not end
/// by itself, the finalizer does.
/// </remarks>
internal sealed class InterruptEvent : IDisposable
{
    private readonly VirtualTime _time;
    private readonly Func<InterruptEvent, IDisposable> _enter;
    private readonly List<InterruptEvent> _others;
    private IDisposable? _entered;
    private EventThread? _thread;
    private Action? _raised;
    private int _key;

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

    /// <summary>Ends what the owner forgot: handles are finalized after those who hold them.</summary>
    ~InterruptEvent()
    {
        if (!IsAttached)
        {
            return;
        }

        try
        {
            StopWaiting();
        }
        catch (VmmException)
        {
            // Closing the event, which comes next, ends the wait for it too (epoll(7)).
        }

        Release();
    }

    /// <summary>The event.</summary>
    public SafeHandle Trigger { get; }

    /// <summary>The event by which the device learns that its interrupt has ended, or null.</summary>
    public SafeHandle? Resample { get; }

    /// <summary>The number of <see cref="Trigger"/>.</summary>
    public nint Number { get; }

    /// <summary>Whether the event still raises the interrupt.</summary>
    public bool IsAttached { get; private set; }

    /// <summary>Makes the thread wait for the event, and call what it raises as long as somebody has the VM.</summary>
    public void WaitOn(EventThread thread, Action raised)
    {
        _raised = raised;
        Action weakly = Weakly(new WeakReference<InterruptEvent>(this));
        _key = thread.Add(Trigger, weakly);
        _thread = thread;
    }

    /// <summary>Ends the wait, if there is one.</summary>
    public void StopWaiting()
    {
        EventThread? thread = _thread;
        _thread = null;
        thread?.Remove(_key, Trigger);
    }

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

        GC.SuppressFinalize(this);
    }

    /// <summary>Lets the descriptors go.</summary>
    public void Abandon()
    {
        IsAttached = false;
        _others.Remove(this);
        Release();
    }

    // Of nothing but the reference: what it captured the thread would keep.
    private static Action Weakly(WeakReference<InterruptEvent> reference) => () =>
    {
        if (reference.TryGetTarget(out InterruptEvent? attached))
        {
            attached._raised?.Invoke();
        }
    };

    private void Release()
    {
        Trigger.DangerousRelease();
        Resample?.DangerousRelease();
    }
}
