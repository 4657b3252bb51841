// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;

namespace Vmm.Engine.Events;

/// <summary>
/// The thread that waits for the events of all VMs of the process that their hypervisor does not wait for. It starts with the first of
/// them, waits for nothing else, and stays.
/// </summary>
internal sealed class EventThread
{
    private const int MostAtOnce = 64;

    private static readonly Lock s_lock = new();
    private static EventThread? s_only;

    private readonly IEventWait _wait;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Action> _watched = [];
    private int _lastKey;

    private EventThread(IEventWait wait)
    {
        _wait = wait;
        new Thread(Run) { IsBackground = true, Name = "vmm-events", Priority = ThreadPriority.Highest }.Start();
    }

    /// <summary>The thread, whose wait the first caller's host provides.</summary>
    /// <exception cref="VmmException">The host refuses.</exception>
    public static EventThread For(IHostEvents host)
    {
        lock (s_lock)
        {
            return s_only ??= new EventThread(host.CreateEventWait());
        }
    }

    /// <summary>Watches an event.</summary>
    /// <param name="descriptor">The event, open until it is removed.</param>
    /// <param name="raised">
    /// Called on the thread while the event is not zero, with no lock held; may still be called once after the removal. Takes the event, and
    /// does not throw.
    /// </param>
    /// <returns>What to remove it by.</returns>
    /// <exception cref="VmmException">EBUSY: it is watched already; EBADF, EPERM: it is no event.</exception>
    public int Add(SafeHandle descriptor, Action raised)
    {
        lock (_lock)
        {
            int key = ++_lastKey;
            _watched.Add(key, raised);
            try
            {
                _wait.Add(descriptor, key);
                return key;
            }
            catch (VmmException error)
            {
                _watched.Remove(key);
                if (error.Error == VmmError.EEXIST)
                {
                    EngineThrow.Busy("AttachEvent", "the event raises an interrupt already");
                }

                throw;
            }
        }
    }

    /// <summary>Watches an event no more.</summary>
    public void Remove(int key, SafeHandle descriptor)
    {
        lock (_lock)
        {
            _watched.Remove(key);
            _wait.Remove(descriptor);
        }
    }

    private void Run()
    {
        int[] keys = new int[MostAtOnce];
        while (true)
        {
            int count = _wait.Wait(keys);
            foreach (int key in keys.AsSpan(0, count))
            {
                Action? raised;
                lock (_lock)
                {
                    _watched.TryGetValue(key, out raised);
                }

                raised?.Invoke();
            }
        }
    }
}
