// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Machine.Debugging;

/// <summary>
/// Stops and resumes a machine's vCPUs together, for one debugger at a time. Made with <see cref="Board.PcMachine.EnableDebugging"/>;
/// a <see cref="GdbServer"/> drives it.
/// </summary>
/// <remarks>
/// A vCPU that stops comes out of its run and its thread waits here, so that nobody owns the vCPU and the debugger can read and write
/// its state. The first event stops all others; what happens to those on their way is kept and reported when it still holds. The lock
/// is never held while a vCPU is touched.
/// </remarks>
public sealed partial class MachineDebugger
{
    private readonly object _gate = new();
    private readonly VirtualMachine _machine;
    private readonly VirtualCpu[] _vcpus;
    private readonly Slot[] _slots;
    private readonly Action<string> _stop;
    private Action<StopEvent>? _listener;
    private StopEvent _cause;
    private bool _isStopping;
    private bool _isReported;
    private bool _hasBegun;
    private bool _hasEnded;

    internal MachineDebugger(VirtualMachine machine, IEnumerable<VirtualCpu> vcpus, bool paused, Action<string> stop)
    {
        _machine = machine;
        _vcpus = [.. vcpus];
        _slots = [.. _vcpus.Select(_ => new Slot())];
        _stop = stop;
        _isStopping = paused;
        _cause = new StopEvent(StopKind.Interrupt);
    }

    /// <summary>The machine's vCPUs, by number.</summary>
    internal IReadOnlyList<VirtualCpu> Vcpus => _vcpus;

    /// <summary>The VM.</summary>
    internal VirtualMachine Machine => _machine;

    /// <summary>Whether all vCPUs stand, or are gone.</summary>
    internal bool IsStopped
    {
        get
        {
            lock (_gate)
            {
                return _isReported || _hasEnded;
            }
        }
    }

    /// <summary>A debugger is there: stops the machine and tells it of this and every later stop. Any thread.</summary>
    internal void Attach(Action<StopEvent> listener)
    {
        lock (_gate)
        {
            _listener = listener;
            _isReported = false;
            if (_hasEnded)
            {
                listener(new StopEvent(StopKind.Ended));
                return;
            }
        }

        Interrupt();
    }

    /// <summary>The debugger is gone: the machine goes on without breakpoints.</summary>
    internal void Detach()
    {
        lock (_gate)
        {
            _listener = null;
            if (!_hasBegun)
            {
                _isStopping = false;
                return;
            }
        }

        // Code and processors are changed back while everything stands.
        Interrupt();
        lock (_gate)
        {
            while (!_hasEnded && !_isReported)
            {
                Monitor.Wait(_gate);
            }

            if (_hasEnded)
            {
                return;
            }
        }

        try
        {
            RemoveAllBreakpoints();
            VcpuAction[] actions = new VcpuAction[_vcpus.Length];
            Array.Fill(actions, VcpuAction.Continue);
            Resume(actions);
        }
        catch (ObjectDisposedException)
        {
            End();
        }
    }

    /// <summary>Stops all vCPUs; the listener is told when they stand. Nothing happens while they do. Any thread.</summary>
    internal void Interrupt()
    {
        lock (_gate)
        {
            if (_hasEnded)
            {
                return;
            }

            if (!_isStopping)
            {
                _isStopping = true;
                _cause = new StopEvent(StopKind.Interrupt, FirstAlive());
            }
        }

        StopOthers();
    }

    /// <summary>Lets vCPUs go on. While all of them stand; on the debugger's thread.</summary>
    /// <param name="actions">What each vCPU shall do.</param>
    /// <exception cref="VmmException">ENOENT: a step that nobody can make.</exception>
    internal void Resume(ReadOnlySpan<VcpuAction> actions)
    {
        if (TryReportKept(actions))
        {
            return;
        }

        for (int i = 0; i < _vcpus.Length; i++)
        {
            bool steps = actions[i] == VcpuAction.Step;
            if (actions[i] != VcpuAction.Stay && _slots[i].Steps != steps)
            {
                _vcpus[i].SetCapability(VcpuCapability.MonitorTrapExit, steps);
                _slots[i].Steps = steps;
            }
        }

        _machine.ResumeVcpusFromDebug();
        lock (_gate)
        {
            _isStopping = false;
            _isReported = false;
            for (int i = 0; i < _slots.Length; i++)
            {
                _slots[i].Kept = default;
                _slots[i].IsParked &= actions[i] == VcpuAction.Stay;
            }

            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends the machine.</summary>
    internal void Kill() => _stop("killed by the debugger");

    /// <summary>A vCPU's thread begins: waits while everything is to stand.</summary>
    internal void Begin(VirtualCpu cpu)
    {
        lock (_gate)
        {
            _hasBegun = true;
        }

        Park(cpu, default);
    }

    /// <summary>A vCPU left the guest for a debugger: waits until it may go on. On the vCPU's thread.</summary>
    internal void Handle(VirtualCpu cpu, in VmExit exit)
    {
        if (cpu.Pending == PendingOperation.Answered)
        {
            cpu.CompletePending();
        }

        if (exit.Code == ExitCode.Breakpoint && exit.Debug.Exception == BreakpointException && !IsAtPatch(cpu))
        {
            PassToGuest(cpu);
            return;
        }

        Park(cpu, Classify(cpu, exit));
        lock (_gate)
        {
            if (!_hasEnded)
            {
                return;
            }
        }

        // A step, or a stop of all that was on its way, came behind the end that resumed them all: nobody else resumes this vCPU.
        _machine.ResumeVcpusFromDebug();
    }

    /// <summary>A vCPU's thread has ended.</summary>
    internal void Leave(VirtualCpu cpu)
    {
        lock (_gate)
        {
            _slots[cpu.Id.Value].HasLeft = true;
            ReportIfAllStand();
        }
    }

    /// <summary>The machine ends: nobody waits here any more. Any thread; more than once.</summary>
    internal void End()
    {
        lock (_gate)
        {
            if (_hasEnded)
            {
                return;
            }

            _hasEnded = true;
            _listener?.Invoke(new StopEvent(StopKind.Ended));
            Monitor.PulseAll(_gate);
        }

        try
        {
            _machine.ResumeVcpusFromDebug();
        }
        catch (ObjectDisposedException)
        {
            // Nobody waits in a machine that is gone.
            return;
        }
    }

    private void Park(VirtualCpu cpu, StopEvent found)
    {
        Slot slot = _slots[cpu.Id.Value];
        bool isFirst = false;
        lock (_gate)
        {
            if (_hasEnded || (found.Kind == StopKind.None && !_isStopping))
            {
                return;
            }

            if (_isStopping)
            {
                slot.Kept = found;
            }
            else
            {
                _isStopping = true;
                _cause = found;
                isFirst = true;
            }

            slot.IsParked = true;
            ReportIfAllStand();
        }

        if (isFirst)
        {
            StopOthers();
        }

        lock (_gate)
        {
            while (slot.IsParked && !_hasEnded)
            {
                Monitor.Wait(_gate);
            }
        }
    }

    private void StopOthers()
    {
        try
        {
            _machine.SuspendVcpusForDebug();
        }
        catch (ObjectDisposedException)
        {
            End();
        }

        lock (_gate)
        {
            ReportIfAllStand();
        }
    }

    private void ReportIfAllStand()
    {
        if (_isStopping && !_isReported && !_hasEnded && Array.TrueForAll(_slots, slot => slot.IsParked || slot.HasLeft))
        {
            _isReported = true;
            _listener?.Invoke(_cause);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>A vCPU that is to go on had made its step, or met a watchpoint, when another one stopped everything.</summary>
    private bool TryReportKept(ReadOnlySpan<VcpuAction> actions)
    {
        lock (_gate)
        {
            for (int i = 0; i < _slots.Length; i++)
            {
                if (actions[i] != VcpuAction.Stay && _slots[i].Kept.Kind is StopKind.Step or StopKind.Watchpoint or StopKind.AccessWatchpoint)
                {
                    _cause = _slots[i].Kept;
                    _slots[i].Kept = default;
                    _listener?.Invoke(_cause);
                    return true;
                }
            }

            return false;
        }
    }

    private int FirstAlive() => Math.Max(0, Array.FindIndex(_slots, slot => !slot.HasLeft));

    private sealed class Slot
    {
        public bool IsParked { get; set; }

        public bool HasLeft { get; set; }

        public bool Steps { get; set; }

        public StopEvent Kept { get; set; }
    }
}
