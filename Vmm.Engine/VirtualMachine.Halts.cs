// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>
/// The detection of halted machines: exact where the engine has HLT, by looks that a timer begins where the hypervisor keeps it to itself.
/// </content>
public sealed partial class VirtualMachine
{
    /// <summary>How long a vCPU must not have exited before somebody looks whether it is halted for good.</summary>
    private static readonly TimeSpan HaltWatchPeriod = TimeSpan.FromSeconds(1);

    private VcpuSet _halted;
    private int _look;
    private bool _isSecondLook;

    /// <summary>Notes whether a vCPU is halted with interrupts disabled; the last one to halt suspends the VM.</summary>
    internal void SetHalted(VcpuId id, bool halted)
    {
        bool all;
        lock (_setsLock)
        {
            _halted = halted ? _halted.With(id) : _halted.Without(id);
            all = halted && IsHaltedForGood();
        }

        if (all)
        {
            TrySuspend(SuspendReason.Halt);
        }
    }

    /// <summary>
    /// Notes that a vCPU waits to be started. It suspends the VM only when it had been reset and was the last to execute: a vCPU that
    /// was never started may have begun to wait before the others were made active.
    /// </summary>
    internal void SetNotStarted(VcpuId id, bool hasBeenReset)
    {
        if (!_options.DetectHalt)
        {
            return;
        }

        bool all;
        lock (_setsLock)
        {
            bool alone = _halted.IsEmpty;
            _halted = _halted.With(id);
            all = hasBeenReset && !alone && IsHaltedForGood();
        }

        if (all)
        {
            TrySuspend(SuspendReason.Halt);
        }
    }

    /// <summary>
    /// Asks the vCPUs that have been quiet whether they are halted. Earlier answers are forgotten first, for all of them: a
    /// vCPU that was halted may have been woken inside the hypervisor.
    /// </summary>
    internal void LookForHalt()
    {
        int look;
        lock (_setsLock)
        {
            look = BeginLook(isSecond: false);
        }

        foreach (VirtualCpu cpu in _vcpus)
        {
            if (!cpu.HasExitedSinceLastLook())
            {
                cpu.AskWhetherHalted(look);
            }
        }
    }

    /// <summary>
    /// A vCPU's answer. The answers to one look are of different moments: one that was halted may have been woken, inside the hypervisor, by one
    /// that halted before its own answer. So when all of a look are halted all are asked again, and only when none of them has executed between
    /// its two answers were they halted together. An answer to an earlier look counts no longer.
    /// </summary>
    /// <param name="id">The vCPU.</param>
    /// <param name="look">Which look it answers.</param>
    /// <param name="halted">Whether it is halted for good, as far as it knows.</param>
    /// <param name="hasExecuted">Whether it has executed anything since its answer before.</param>
    internal void AnswerLook(VcpuId id, int look, bool halted, bool hasExecuted)
    {
        int second;
        lock (_setsLock)
        {
            if (look != _look)
            {
                return;
            }

            bool counts = halted && !(_isSecondLook && hasExecuted);
            _halted = counts ? _halted.With(id) : _halted.Without(id);
            if (!counts || !IsHaltedForGood())
            {
                return;
            }

            second = _isSecondLook ? 0 : BeginLook(isSecond: true);
        }

        if (second == 0)
        {
            TrySuspend(SuspendReason.Halt);
            return;
        }

        foreach (VcpuId active in ActiveVcpus)
        {
            _vcpus[active.Value].AskWhetherHalted(second);
        }
    }

    /// <summary>Forgets the answers to the look before; under the lock of the sets.</summary>
    /// <returns>The number of the new one, which is never 0.</returns>
    private int BeginLook(bool isSecond)
    {
        _halted = VcpuSet.Empty;
        _isSecondLook = isSecond;
        _look = _look == int.MaxValue ? 1 : _look + 1;
        return _look;
    }

    /// <summary>
    /// Whether every active vCPU is halted and has nothing to wake for: an event that another one sent before it halted is seen here
    /// even where the target's thread has not run since. Under the lock of the sets.
    /// </summary>
    private bool IsHaltedForGood() =>
        _active.IsSubsetOf(_halted) && !Array.Exists(_vcpus, static cpu => cpu.IsAboutToWake);

    private static void WatchForHalt(object? state)
    {
        if (((WeakReference<VirtualMachine>)state!).TryGetTarget(out VirtualMachine? machine) && !machine.IsDisposed)
        {
            machine.LookForHalt();
        }
    }
}
