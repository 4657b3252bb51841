// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Runs, kicks, and the completion of pending operations.</content>
internal sealed partial class KvmVcpu
{
    /// <summary>
    /// More fragments than one instruction can ask for: KVM goes back to the guest after 1024 elements of a repeated
    /// string instruction, each in at most two accesses of two fragments.
    /// </summary>
    private const int MostFragments = 8 * 1024;

    private int _kicked;
    private int _runningThread;
    private ulong _signalMask = ulong.MaxValue;
    private ulong _callersMask;
    private PendingOperation _pending;
    private bool _pendingHoldsWrites;
    private KvmExitReason _pendingReason;
    private bool _isStringInput;
    private bool _hasDeferredExit;
    private VmExit _deferredExit;

    [ThreadStatic]
    private static int t_threadId;

    /// <inheritdoc/>
    public PendingOperation Pending => _pending;

    /// <inheritdoc/>
    public Span<byte> ExitData => _exitDataLength == 0 ? default : _page.Window(_exitDataOffset, _exitDataLength);

    /// <inheritdoc/>
    public void BeginRun()
    {
        _fd.BeginSession();
        int thread = t_threadId != 0 ? t_threadId : t_threadId = LibC.gettid();
        _callersMask = Signals.Block(_kickSignal);
        ulong guestMask = _callersMask & ~SignalSet.KernelBit(_kickSignal);
        if (guestMask != _signalMask)
        {
            _fd.SetSignalMask(guestMask);
            _signalMask = guestMask;
        }

        lock (_kickLock)
        {
            _runningThread = thread;
        }
    }

    /// <inheritdoc/>
    public void EndRun()
    {
        lock (_kickLock)
        {
            _runningThread = 0;
        }

        // A kick that came too late for the last run has left its signal; the flag of the kick stays for the next run.
        while (Signals.Consume(_kickSignal))
        {
        }

        Signals.Restore(_callersMask);
        _fd.EndSession();
    }

    /// <inheritdoc/>
    public void Kick()
    {
        lock (_kickLock)
        {
            if (_disposed)
            {
                return;
            }

            // The flag comes before immediate_exit and the run loop takes them back in the other order: whatever it
            // takes back, it has seen the flag.
            Interlocked.Exchange(ref _kicked, 1);
            _page.RequestImmediateExit();
            if (_runningThread != 0)
            {
                Signals.Send(_runningThread, _kickSignal);
            }
        }
    }

    /// <inheritdoc/>
    public bool CanRunOne => _vm.Has(KvmCapability.SetGuestDebug);

    /// <inheritdoc/>
    public void Run(ref VmExit exit)
    {
        ArmGuestDebug(_guestDebug);
        RunArmed(ref exit);
    }

    /// <inheritdoc/>
    public void RunOne(ref VmExit exit)
    {
        ArmGuestDebug(_guestDebug | KvmGuestDebugFlags.Singlestep);
        RunArmed(ref exit);
        if (exit.Code == ExitCode.MonitorTrap && !_guestDebug.HasFlag(KvmGuestDebugFlags.Singlestep))
        {
            exit.Set(ExitCode.Bogus, exit.Rip);
        }
    }

    private void RunArmed(ref VmExit exit)
    {
        if (_pending == PendingOperation.Exit)
        {
            ThrowPending("KVM_RUN");
        }

        if (_hasDeferredExit)
        {
            _hasDeferredExit = false;
            exit = _deferredExit;
            return;
        }

        if (_pending == PendingOperation.Answered && HasHeldWrites && !Complete(ref exit))
        {
            return;
        }

        while (true)
        {
            WriteBack();
            int error = _fd.RunInSession();
            AfterRun(entered: error == 0);
            if (error == 0)
            {
                _pending = PendingOperation.None;
                Decode(ref exit);
                if (exit.Code == ExitCode.DirtyRingFull && _vm.HasDirtyRings)
                {
                    _vm.HarvestRings();
                    continue;
                }

                return;
            }

            switch ((VmmError)error)
            {
                case VmmError.EINTR:
                    _pending = PendingOperation.None;
                    if (TakeKick())
                    {
                        exit.Set(ExitCode.Bogus, Regs.Rip);
                        _exitDataLength = 0;
                        return;
                    }

                    break;
                case VmmError.EAGAIN:
                    // The vCPU waited for a start-up interrupt and something woke it.
                    break;
                case VmmError.EFAULT or VmmError.EHWPOISON
                    when (KvmExitReason)_page.Run.ExitReason == KvmExitReason.MemoryFault:
                    Decode(ref exit);
                    return;
                default:
                    throw KvmThrow.Host("KVM_RUN", error, $"vCPU {Id} of VM {_vm.Name}");
            }
        }
    }

    /// <inheritdoc/>
    public void Fulfill(ulong value = 0, MsrOutcome outcome = MsrOutcome.Handled)
    {
        if (_pending != PendingOperation.Exit)
        {
            throw new InvalidOperationException("nothing is pending that could be fulfilled");
        }

        ref KvmRun run = ref _page.Run;
        switch (_pendingReason)
        {
            case KvmExitReason.Io:
                if (_pendingHoldsWrites && !_isStringInput)
                {
                    MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[.._exitDataLength].CopyTo(ExitData);
                }

                break;
            case KvmExitReason.Mmio:
                if (_pendingHoldsWrites)
                {
                    MemoryMarshal.Write(run.Mmio.Data, in value);
                }

                break;
            case KvmExitReason.X86Rdmsr or KvmExitReason.X86Wrmsr:
                run.Msr.Error = outcome == MsrOutcome.Handled ? (byte)0 : (byte)1;
                run.Msr.Data = _pendingReason == KvmExitReason.X86Rdmsr ? value : run.Msr.Data;
                break;
            default:
                run.Hypercall.Ret = value;
                break;
        }

        _pending = PendingOperation.Answered;
    }

    /// <inheritdoc/>
    public bool Complete(ref VmExit exit)
    {
        if (_pending == PendingOperation.Exit)
        {
            ThrowPending("Complete");
        }

        if (_pending == PendingOperation.None)
        {
            return true;
        }

        ArmGuestDebug(_guestDebug);
        if (RunToCompletion())
        {
            _pending = PendingOperation.None;
            ApplyHeldWrites();
            return true;
        }

        _pending = PendingOperation.None;
        Decode(ref exit);
        if (_pending == PendingOperation.Exit)
        {
            return false;
        }

        // Not a further access of the instruction, but the next thing to report: it must not get lost.
        _deferredExit = exit;
        _hasDeferredExit = true;
        ApplyHeldWrites();
        return true;
    }

    /// <inheritdoc/>
    public void Discard()
    {
        if (_pending == PendingOperation.None)
        {
            return;
        }

        ArmGuestDebug(_guestDebug);
        if (!_pendingHoldsWrites)
        {
            // A write has retired but for further fragments, which are swallowed.
            Swallow();
        }
        else
        {
            SideEffects effects = SideEffects.Capture(this);
            Swallow();
            effects.Undo(this);
        }

        ApplyHeldWrites();
    }

    /// <summary>Finishes the pending instruction on dummy data.</summary>
    private void Swallow()
    {
        VmExit ignored = default;
        for (int i = 0; i < MostFragments && _pending != PendingOperation.None; i++)
        {
            if (_pending == PendingOperation.Exit)
            {
                if (_isStringInput)
                {
                    ExitData.Clear();
                }

                Fulfill();
            }

            if (RunToCompletion())
            {
                _pending = PendingOperation.None;
                return;
            }

            _pending = PendingOperation.None;
            Decode(ref ignored);
        }

        if (_pending != PendingOperation.None)
        {
            throw new VmmException(
                "Discard", VmmError.EIO, $"the instruction asked for more than {MostFragments} accesses");
        }
    }

    /// <summary>KVM_RUN with immediate exit: retires the answered instruction and executes nothing further.</summary>
    /// <returns>Whether it retired; otherwise the page holds a further exit.</returns>
    private bool RunToCompletion()
    {
        _fd.BeginSession();
        try
        {
            if (!_pendingHoldsWrites)
            {
                WriteBack();
            }

            _page.RequestImmediateExit();
            int error = _fd.RunInSession();
            _page.ClearImmediateExit();
            if (Volatile.Read(ref _kicked) != 0)
            {
                _page.RequestImmediateExit();
            }

            AfterRun(entered: false);
            return error switch
            {
                0 => false,
                (int)VmmError.EINTR => true,
                _ => throw KvmThrow.Host("KVM_RUN (completion)", error, $"vCPU {Id} of VM {_vm.Name}"),
            };
        }
        finally
        {
            _fd.EndSession();
        }
    }

    private bool TakeKick()
    {
        _page.ClearImmediateExit();
        Signals.Consume(_kickSignal);
        return Interlocked.Exchange(ref _kicked, 0) != 0;
    }

    private static void ThrowPending(string operation) =>
        throw new VmmException(operation, VmmError.EBUSY, "an exit waits for its answer: fulfil or discard it first");
}
