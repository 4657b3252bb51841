// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>Who has the vCPU: one thread, to whom the others come in the order in which they asked.</content>
public sealed partial class VirtualCpu
{
    private int _owner;
    private int _depth;

    /// <summary>How many of the levels of ownership <see cref="SetState"/> took, which alone gives those back.</summary>
    private int _levelsByHand;
    private long _nextTicket;
    private long _servedTicket;

    /// <summary>Tickets behind the served one whose waiters gave up.</summary>
    private HashSet<long>? _abandonedTickets;
    private bool _retired;

    /// <summary>Takes ownership in order of arrival; nested on the thread that has it.</summary>
    internal void TakeOwnership()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (Volatile.Read(ref _owner) == thread)
        {
            // Only the owner itself changes what it reads here: nested ownership, as in a handler, needs no lock.
            _depth++;
            return;
        }

        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_retired || _machine.IsDisposed, _machine);
            long ticket = _nextTicket++;
            bool isServed = false;
            try
            {
                while (_state != VcpuState.Idle || _servedTicket != ticket)
                {
                    if (_state != VcpuState.Idle)
                    {
                        AskForIdle();
                    }

                    Monitor.Wait(_gate);
                    ObjectDisposedException.ThrowIf(_retired || _machine.IsDisposed, _machine);
                }

                isServed = true;
                ServeNext();
            }
            finally
            {
                if (!isServed)
                {
                    Abandon(ticket);
                }
            }

            // Those behind in the queue may have found the vCPU idle and have asked nobody; a request that nobody stands
            // behind any more ends here.
            bool isWanted = _servedTicket != _nextTicket;
            Volatile.Write(ref _requestIdle, isWanted);
            if (isWanted)
            {
                Interlocked.Exchange(ref _attention, 1);
            }

            _owner = thread;
            _depth = 1;
            _state = VcpuState.Frozen;
        }
    }

    /// <summary>Takes ownership if nobody has it and nobody waits for it. Does not wait; not nested.</summary>
    internal bool TryTakeOwnership()
    {
        lock (_gate)
        {
            if (_state != VcpuState.Idle || _servedTicket != _nextTicket || _retired || _machine.IsDisposed)
            {
                return false;
            }

            _nextTicket++;
            _servedTicket++;
            _owner = Environment.CurrentManagedThreadId;
            _depth = 1;
            _state = VcpuState.Frozen;
            return true;
        }
    }

    /// <summary>Gives one level of ownership back.</summary>
    internal void GiveOwnershipBack()
    {
        if (Volatile.Read(ref _owner) != Environment.CurrentManagedThreadId)
        {
            throw new InvalidOperationException($"this thread does not own vCPU {Id}");
        }

        if (_depth > 1)
        {
            _depth--;
            return;
        }

        lock (_gate)
        {
            _depth = 0;
            _owner = 0;
            _state = VcpuState.Idle;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Whether the calling thread is within something of this vCPU's that may call handlers: it may be one that asks.</summary>
    internal bool IsCallingHandlers => _mayBeInHandler && Volatile.Read(ref _owner) == Environment.CurrentManagedThreadId;

    /// <summary>Makes those who wait for ownership look whether the VM still exists.</summary>
    internal void WakeWaiters()
    {
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until nobody else has the vCPU, refuses every later owner, and frees the backend's vCPU.</summary>
    /// <remarks>Interrupting the thread does not end a destruction half way: the interruption comes at the thread's next wait.</remarks>
    internal void Retire()
    {
        bool isInterrupted = false;
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
            while (_state != VcpuState.Idle && _owner != Environment.CurrentManagedThreadId)
            {
                AskForIdle();
                try
                {
                    Monitor.Wait(_gate);
                }
                catch (ThreadInterruptedException)
                {
                    isInterrupted = true;
                }
            }

            _retired = true;
        }

        if (isInterrupted)
        {
            Thread.CurrentThread.Interrupt();
        }

        ReleaseBackend();
    }

    /// <summary>It is the turn of the next waiter who has not given up; under the gate.</summary>
    private void ServeNext()
    {
        do
        {
            _servedTicket++;
        }
        while (_abandonedTickets is { Count: > 0 } abandoned && abandoned.Remove(_servedTicket));
    }

    /// <summary>A waiter gives up; under the gate.</summary>
    private void Abandon(long ticket)
    {
        if (ticket != _servedTicket)
        {
            (_abandonedTickets ??= []).Add(ticket);
            return;
        }

        ServeNext();
        if (_servedTicket == _nextTicket)
        {
            Volatile.Write(ref _requestIdle, false);
        }

        Monitor.PulseAll(_gate);
    }

    /// <summary>Asks the owner to give the vCPU back; under the gate.</summary>
    private void AskForIdle()
    {
        Volatile.Write(ref _requestIdle, true);
        Interlocked.Exchange(ref _attention, 1);
        Monitor.PulseAll(_gate);
        if (_inRun)
        {
            _backend?.Kick();
        }
    }

    private sealed class Ownership(VirtualCpu cpu) : IDisposable
    {
        private readonly int _thread = Environment.CurrentManagedThreadId;
        private bool _disposed;

        public void Dispose()
        {
            if (_disposed)
            {
                return;
            }

            if (_thread != Environment.CurrentManagedThreadId)
            {
                throw new InvalidOperationException($"another thread took vCPU {cpu.Id}: it alone gives it back");
            }

            cpu.GiveOwnershipBack();
            _disposed = true;
        }
    }
}
