// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Concurrent;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>One step of a script: what the guest does until its next exit.</summary>
internal delegate void FakeStep(FakeVcpu vcpu, ref VmExit exit);

/// <content>Runs, kicks and the protocol of pending exits.</content>
internal sealed partial class FakeVcpu
{
    private const int ExitDataLength = 4096;

    private readonly ConcurrentQueue<FakeStep> _script = new();
    private readonly Queue<FakeStep> _fragments = new();
    private readonly byte[] _exitData = new byte[ExitDataLength];
    private readonly object _kickGate = new();
    private int _exitDataCount;
    private int _sessionThread;
    private bool _isInGuest;
    private bool _hasRun;
    private bool _kicked;
    private bool _isRead;
    private int _readBytes;
    private int _length;

    /// <summary>What runs when the script is empty; without it an empty script is an error of the test.</summary>
    public FakeStep? WhenEmpty { get; set; }

    /// <summary>What preparing a thread for runs fails with, or null.</summary>
    public VmmException? BeginRunRefusal { get; set; }

    /// <summary>Whether a thread is between two of the backend's returns.</summary>
    public bool IsInGuest => Volatile.Read(ref _isInGuest);

    public bool IsInSession => Volatile.Read(ref _sessionThread) != 0;

    /// <summary>Entries that got as far as the guest.</summary>
    public int Entries { get; private set; }

    /// <summary>The events whose delivery entries have finished, in order.</summary>
    public List<EventInformation> Delivered { get; } = [];

    /// <summary>The answers that pending exits got, in order.</summary>
    public List<(ulong Value, MsrOutcome Outcome)> Answers { get; } = [];

    /// <summary>Whether answers are recorded; off where nothing may be allocated.</summary>
    public bool RecordsAnswers { get; set; } = true;

    public int Discards { get; private set; }

    public int Nmis { get; private set; }

    /// <summary>What happens when an answered instruction retires, besides what every one does.</summary>
    public Action? AtRetirement { get; set; }

    public PendingOperation Pending { get; private set; }

    public Span<byte> ExitData => _exitData.AsSpan(0, _exitDataCount);

    private bool HoldsWrites => Pending != PendingOperation.None && _isRead;

    /// <summary>Adds a step to the script. Any thread.</summary>
    public FakeVcpu Then(FakeStep step)
    {
        _script.Enqueue(step);
        return this;
    }

    public void BeginRun()
    {
        Use();
        if (BeginRunRefusal is { } refusal)
        {
            throw refusal;
        }

        if (Interlocked.CompareExchange(ref _sessionThread, Environment.CurrentManagedThreadId, 0) != 0)
        {
            throw new FakeProtocolException("a second session of runs begins");
        }
    }

    public void EndRun()
    {
        Use();
        RequireSession();
        Volatile.Write(ref _sessionThread, 0);
    }

    public void Run(ref VmExit exit)
    {
        Use();
        RequireSession();
        if (Pending == PendingOperation.Exit)
        {
            throw new FakeProtocolException("a run while an exit waits for its answer");
        }

        if (Pending == PendingOperation.Answered && !Retire(ref exit))
        {
            return;
        }

        if (TakeKick())
        {
            exit.Set(ExitCode.Bogus, Rip);
            return;
        }

        Entries++;
        _hasRun = true;
        _exitDataCount = 0;
        if (_events.Injected.IsValid)
        {
            Delivered.Add(_events.Injected);
            _events = _events with { Injected = default };
        }
        else if (_events.Pending.IsValid)
        {
            Delivered.Add(_events.Pending);
            _events = _events with { Pending = default };
        }

        if (InterruptWindowRequested && IsReadyForInterrupt)
        {
            exit.Set(ExitCode.InterruptWindow, Rip);
            return;
        }

        if (!_script.TryDequeue(out FakeStep? step))
        {
            step = WhenEmpty ?? throw new FakeProtocolException($"the script of vCPU {Id} is at its end");
        }

        Volatile.Write(ref _isInGuest, true);
        try
        {
            step(this, ref exit);
        }
        finally
        {
            Volatile.Write(ref _isInGuest, false);
        }
    }

    public void Kick()
    {
        lock (_kickGate)
        {
            _kicked = true;
            Monitor.PulseAll(_kickGate);
        }
    }

    public void Fulfill(ulong value = 0, MsrOutcome outcome = MsrOutcome.Handled)
    {
        Use();
        if (Pending != PendingOperation.Exit)
        {
            throw new FakeProtocolException("an answer where nothing is asked");
        }

        if (RecordsAnswers)
        {
            Answers.Add((value, outcome));
        }

        _answer = value;
        _outcome = outcome;
        Pending = PendingOperation.Answered;
    }

    public bool Complete(ref VmExit exit)
    {
        Use();
        return Pending switch
        {
            PendingOperation.Exit => throw new VmmException("Complete", VmmError.EBUSY, "an exit waits for its answer"),
            PendingOperation.Answered => Retire(ref exit),
            _ => true,
        };
    }

    public void Discard()
    {
        Use();
        if (Pending == PendingOperation.None)
        {
            return;
        }

        Discards++;
        _fragments.Clear();
        Pending = PendingOperation.None;
        ApplyHeldWrites();
    }

    public void InjectInterrupt(byte vector)
    {
        Use();
        if (!IsReadyForInterrupt)
        {
            throw new FakeProtocolException("an interrupt where the guest cannot take one");
        }

        _events = _events with { Injected = EventInformation.Create(EventType.HardwareInterrupt, vector) };
    }

    public void InjectNmi()
    {
        Use();
        Nmis++;
    }

    public void Dispose()
    {
        if (IsInGuest || IsInSession)
        {
            throw new FakeProtocolException("a vCPU is disposed while it runs");
        }

        IsDisposed = true;
    }

    /// <summary>Stays in the guest until somebody kicks.</summary>
    public void WaitForKick()
    {
        lock (_kickGate)
        {
            while (!_kicked)
            {
                Monitor.Wait(_kickGate);
            }

            _kicked = false;
        }
    }

    private ulong Rip => _registers[(int)RegisterName.Rip];

    private bool TakeKick()
    {
        lock (_kickGate)
        {
            (bool kicked, _kicked) = (_kicked, false);
            return kicked;
        }
    }

    /// <summary>Finishes the answered instruction, unless it makes a further access.</summary>
    private bool Retire(ref VmExit exit)
    {
        Pending = PendingOperation.None;
        FinishRead();
        if (_fragments.TryDequeue(out FakeStep? fragment))
        {
            fragment(this, ref exit);
            return false;
        }

        _registers[(int)RegisterName.Rip] += (ulong)_length;
        _length = 0;
        ApplyHeldWrites();
        AtRetirement?.Invoke();
        return true;
    }

    private void ApplyHeldWrites()
    {
        for (int i = 0; i < RegisterCount; i++)
        {
            if (_isHeld[i])
            {
                _isHeld[i] = false;
                _registers[i] = _held[i];
            }
        }
    }

    private void RequireSession()
    {
        if (Volatile.Read(ref _sessionThread) != Environment.CurrentManagedThreadId)
        {
            throw new FakeProtocolException("a run outside of a session of this thread");
        }
    }

    /// <summary>Checks that the vCPU exists and that no other thread is running it.</summary>
    private void Use()
    {
        if (IsDisposed)
        {
            throw new FakeProtocolException("a vCPU is used after it was disposed");
        }

        int session = Volatile.Read(ref _sessionThread);
        if (session != 0 && session != Environment.CurrentManagedThreadId)
        {
            throw new FakeProtocolException("a thread uses a vCPU that another one is running");
        }
    }
}
