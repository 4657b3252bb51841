// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Faults;

namespace Vmm.Engine;

/// <content>Activation, suspension, pause and debug stops.</content>
public sealed partial class VirtualMachine
{
    private readonly Lock _setsLock = new();
    private VcpuSet _active;
    private VcpuSet _debug;
    private VcpuSet _suspended;
    private int _suspendReason;
    private bool _isPaused;
    private TripleFaultReport? _tripleFault;

    /// <inheritdoc/>
    public VcpuSet ActiveVcpus => ReadSet(ref _active);

    /// <inheritdoc/>
    public VcpuSet DebugVcpus => ReadSet(ref _debug);

    /// <inheritdoc/>
    public VcpuSet SuspendedVcpus => ReadSet(ref _suspended);

    /// <inheritdoc/>
    public SuspendReason SuspendReason => (SuspendReason)Volatile.Read(ref _suspendReason);

    /// <summary>
    /// Why the guest met a triple fault; null while the VM is not suspended with <see cref="SuspendReason.TripleFault"/>, and when the
    /// embedder gave that reason. There before the reason is. Any thread.
    /// </summary>
    public TripleFaultReport? TripleFault => Volatile.Read(ref _tripleFault);

    /// <inheritdoc/>
    public bool IsPaused => Volatile.Read(ref _isPaused);

    /// <inheritdoc/>
    public void Suspend(SuspendReason reason)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (reason is <= SuspendReason.None or > SuspendReason.TripleFault)
        {
            EngineThrow.Invalid("vm_suspend", $"{(int)reason} is not a reason to suspend");
        }

        if (!TrySuspend(reason))
        {
            EngineThrow.Refuse("vm_suspend", VmmError.EALREADY, $"the VM is suspended already: {SuspendReason}");
        }
    }

    /// <inheritdoc/>
    public void SuspendVcpusForDebug()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        lock (_setsLock)
        {
            _debug = _active;
        }

        NotifyActive();
    }

    /// <inheritdoc/>
    public void ResumeVcpusFromDebug()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        lock (_setsLock)
        {
            _debug = VcpuSet.Empty;
        }
    }

    /// <inheritdoc/>
    public void Pause(IVcpuFreeze freeze) => SetPaused("vm_pause_instance", freeze, paused: true);

    /// <inheritdoc/>
    public void Resume(IVcpuFreeze freeze) => SetPaused("vm_resume_instance", freeze, paused: false);

    /// <summary>Makes a vCPU active; the caller owns it.</summary>
    internal void Activate(VirtualCpu cpu)
    {
        lock (_setsLock)
        {
            if (_active.Contains(cpu.Id))
            {
                EngineThrow.Busy("vm_activate_cpu", $"vCPU {cpu.Id} is active already");
            }

            if (SuspendReason != SuspendReason.None)
            {
                EngineThrow.Busy("vm_activate_cpu", $"the VM is suspended: {SuspendReason}");
            }

            _active = _active.With(cpu.Id);
        }

        if (SuspendReason != SuspendReason.None)
        {
            // Somebody suspended the VM meanwhile, perhaps without having seen this vCPU.
            MarkSuspended(cpu.Id);
        }
    }

    /// <summary>Whether a vCPU is active.</summary>
    internal bool IsActive(VcpuId id) => ReadSet(ref _active).Contains(id);

    /// <summary>Stops one vCPU for a debugger.</summary>
    internal void SuspendForDebug(VirtualCpu cpu)
    {
        lock (_setsLock)
        {
            if (!_active.Contains(cpu.Id))
            {
                EngineThrow.Invalid("vm_suspend_cpu", $"vCPU {cpu.Id} is not active");
            }

            _debug = _debug.With(cpu.Id);
        }

        cpu.Notify();
    }

    /// <summary>Lets one vCPU that is stopped for a debugger go on.</summary>
    internal void ResumeFromDebug(VirtualCpu cpu)
    {
        lock (_setsLock)
        {
            if (!_debug.Contains(cpu.Id))
            {
                EngineThrow.Invalid("vm_resume_cpu", $"vCPU {cpu.Id} is not stopped");
            }

            _debug = _debug.Without(cpu.Id);
        }
    }

    /// <summary>Suspends the VM unless it is suspended.</summary>
    /// <returns>Whether this call did it.</returns>
    internal bool TrySuspend(SuspendReason reason, TripleFaultReport? report = null)
    {
        lock (_setsLock)
        {
            if (SuspendReason != SuspendReason.None)
            {
                return false;
            }

            Volatile.Write(ref _tripleFault, report);
            Interlocked.Exchange(ref _suspendReason, (int)reason);

            // Those that do not run know of it at once. Later, the VM may have been reset.
            foreach (VcpuId id in _active)
            {
                if (!_vcpus[id.Value].IsInRun)
                {
                    _suspended = _suspended.With(id);
                }
            }
        }

        EngineLog.Suspended(_log, Name, reason);
        if (report is not null)
        {
            EngineLog.TripleFault(_log, Name, report);
        }

        NotifyActive();
        return true;
    }

    /// <summary>Notes that a vCPU knows of the suspension; the caller owns it, so that the VM is not reset meanwhile.</summary>
    /// <returns>Whether every active vCPU does.</returns>
    internal bool MarkSuspended(VcpuId id)
    {
        bool complete;
        lock (_setsLock)
        {
            _suspended = _suspended.With(id);
            complete = _active.IsSubsetOf(_suspended);
        }

        if (complete)
        {
            foreach (VcpuId other in ActiveVcpus)
            {
                _vcpus[other.Value].Wake();
            }
        }

        return complete;
    }

    /// <summary>Whether every active vCPU knows of the suspension.</summary>
    internal bool IsSuspensionComplete()
    {
        lock (_setsLock)
        {
            return _active.IsSubsetOf(_suspended);
        }
    }

    private void SetPaused(string operation, IVcpuFreeze freeze, bool paused)
    {
        RequireFreeze(freeze);
        if (_isPaused == paused)
        {
            EngineThrow.Refuse(operation, VmmError.EALREADY, paused ? "the VM is paused" : "the VM is not paused");
        }

        Volatile.Write(ref _isPaused, paused);
        if (paused)
        {
            Time.Stop();
            StopClock();
        }
        else
        {
            ContinueClock();
            Time.Continue();
        }
    }

    private void NotifyActive()
    {
        foreach (VcpuId id in ActiveVcpus)
        {
            _vcpus[id.Value].Notify();
        }
    }

    private void ClearSets()
    {
        lock (_setsLock)
        {
            _active = VcpuSet.Empty;
            _debug = VcpuSet.Empty;
            _suspended = VcpuSet.Empty;
            _halted = VcpuSet.Empty;
            Volatile.Write(ref _suspendReason, (int)SuspendReason.None);
            Volatile.Write(ref _tripleFault, null);
        }
    }

    private VcpuSet ReadSet(ref VcpuSet set)
    {
        lock (_setsLock)
        {
            return set;
        }
    }
}
