// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine;
using Vmm.Engine.SecondChance;
using Vmm.Machine.Diagnostics;

namespace Vmm.Machine.Board;

/// <content>The run: a thread per vCPU, and how it ends.</content>
public sealed partial class PcMachine
{
    private readonly Lock _endLock = new();
    private Ending? _ending;
    private bool _hasRun;

    /// <summary>
    /// Runs the machine on threads of its own until it ends, and waits for that. Once. Console input and
    /// <see cref="Stop"/> may come from other threads meanwhile.
    /// </summary>
    /// <param name="cancellation">Stops the machine.</param>
    /// <returns>How it ended. What the guest does never throws; nor does what a device throws.</returns>
    /// <exception cref="InvalidOperationException">No image is loaded, or the machine has run.</exception>
    /// <exception cref="VmmException">The hypervisor refuses the registers that the image starts with.</exception>
    public MachineResult Run(CancellationToken cancellation = default)
    {
        if (_bootState is null || _hasRun)
        {
            throw new InvalidOperationException(_hasRun ? "the machine has run already" : "no image is loaded");
        }

        _hasRun = true;
        VirtualCpu[] vcpus = [.. Vcpus()];
        try
        {
            Activate(vcpus);
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.EBUSY && CurrentEnding() is { } stopped)
        {
            // A suspended VM has no vCPU activated: it was stopped before it ran.
            MachineLog.Ended(_log, _options.Name, stopped.End, stopped.Detail);
            return Report(stopped, vcpus, TimeSpan.Zero);
        }

        _machine.Rtc.Time = _options.StartTime ?? DateTimeOffset.UtcNow;

        _bootState.ApplyTo(vcpus[0]);
        MachineLog.Started(_log, _options.Name, vcpus.Length, _options.MemorySize);
        long start = Stopwatch.GetTimestamp();
        RunThreads(vcpus, cancellation);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Ending ending = CurrentEnding() ?? new Ending(MachineEnd.HostError, null, "every vCPU's thread ended without a reason");
        MachineLog.Ended(_log, _options.Name, ending.End, ending.Detail);
        return Report(ending, vcpus, elapsed);
    }

    /// <summary>Stops the machine; its run then ends with <see cref="MachineEnd.Stopped"/>. Any thread; at any time.</summary>
    /// <param name="detail">Who stopped it, for the result.</param>
    public void Stop(string detail = "stopped from outside") => End(new Ending(MachineEnd.Stopped, null, detail));

    private void Activate(VirtualCpu[] vcpus)
    {
        foreach (VirtualCpu cpu in vcpus)
        {
            cpu.Activate();

            // Where the hypervisor has the local APICs, it is the one that makes further vCPUs wait for their start-up
            // interrupt: the engine lets all of them run.
            bool runs = cpu.Id.Value == 0 || _options.InterruptControllerMode != InterruptControllerMode.Userspace;
            cpu.SetRunState(runs ? VcpuRunState.Run : VcpuRunState.Halt);
        }
    }

    private void RunThreads(VirtualCpu[] vcpus, CancellationToken cancellation)
    {
        Thread[] threads = new Thread[vcpus.Length];
        using CountdownEvent running = new(threads.Length);
        for (int i = 0; i < threads.Length; i++)
        {
            VirtualCpu cpu = vcpus[i];
            threads[i] = new Thread(() => RunVcpu(cpu, running)) { IsBackground = true, Name = $"vcpu{cpu.Id.Value}" };
        }

        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        using (cancellation.Register(() => Stop("stopped by cancellation")))
        {
            TimeSpan limit = _options.Timeout ?? Timeout.InfiniteTimeSpan;
            if (!running.Wait(limit, CancellationToken.None))
            {
                End(new Ending(
                    MachineEnd.Timeout,
                    null,
                    string.Create(CultureInfo.InvariantCulture, $"the guest ran for {limit.TotalSeconds:0.###} s, as long as it may")));
            }

            foreach (Thread thread in threads)
            {
                thread.Join();
            }
        }
    }

    private void RunVcpu(VirtualCpu cpu, CountdownEvent running)
    {
        try
        {
            _debugger?.Begin(cpu);
            while (Continue(cpu, cpu.Run(VmEntry.Default)))
            {
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // Whatever a device throws ends the machine and is reported; it must not end the process from this thread.
            MachineLog.Failed(_log, _options.Name, cpu.Id, error);
            End(new Ending(MachineEnd.HostError, cpu.Id, error.Message) { Error = error });
        }
        finally
        {
            _debugger?.Leave(cpu);
            running.Signal();
        }
    }

    /// <summary>Decides about an exit that the engine does not handle.</summary>
    /// <returns>Whether the vCPU goes on.</returns>
    private bool Continue(VirtualCpu cpu, in VmExit exit)
    {
        switch (exit.Code)
        {
            case ExitCode.Suspended:
                NoteSuspension(cpu, exit.Suspended);
                return false;

            // A write to read-only memory is dropped; the others are requests to look again.
            case ExitCode.Bogus or ExitCode.RequestIdle or ExitCode.Paging or ExitCode.DirtyRingFull or ExitCode.BusLock:
                return true;

            case ExitCode.Debug or ExitCode.MonitorTrap or ExitCode.Breakpoint when _debugger is not null:
                _debugger.Handle(cpu, exit);
                return true;

            case ExitCode.InstructionEmulation:
                End(new Ending(
                    MachineEnd.EmulationFailure, cpu.Id, $"{_backend.Description.Name} cannot emulate an instruction of the guest")
                {
                    Exit = exit,
                });
                return false;

            case ExitCode.Rdmsr or ExitCode.Wrmsr:
                MsrIndex index = exit.Msr.Index;
                string access = exit.Code == ExitCode.Wrmsr ? $"writes 0x{exit.Msr.Value:x} to" : "reads";
                End(new Ending(
                    MachineEnd.UnansweredMsr, cpu.Id, $"the guest {access} {MsrReport.Describe(index)}, which nobody answers for")
                {
                    Exit = exit,
                });
                return false;

            default:
                End(new Ending(MachineEnd.HypervisorFailure, cpu.Id, exit.ToString()) { Exit = exit });
                return false;
        }
    }

    /// <summary>A suspension by the engine; one of the board's own has its ending already.</summary>
    private void NoteSuspension(VirtualCpu cpu, SuspendReason reason)
    {
        (MachineEnd end, string detail) = reason switch
        {
            SuspendReason.Halt => (MachineEnd.Halt, "every vCPU is halted with interrupts disabled"),
            SuspendReason.TripleFault => (MachineEnd.TripleFault, "a fault could not be delivered, nor the double fault after it"),
            SuspendReason.Reset => (MachineEnd.Reset, "the VM was reset"),
            _ => (MachineEnd.PowerOff, "the VM was powered off"),
        };
        _ = TrySetEnding(new Ending(end, reason == SuspendReason.Halt ? null : cpu.Id, detail));
    }

    private void End(VcpuId vcpu, MachineEnd end, string detail) => End(new Ending(end, vcpu, detail));

    private void EndByDebugExit(int code) => End(new Ending(
        MachineEnd.DebugExit,
        null,
        string.Create(CultureInfo.InvariantCulture, $"the guest wrote {(uint)code >> 1} to the debug-exit port"))
    {
        DebugExitCode = code,
    });

    private void End(Ending ending)
    {
        if (!TrySetEnding(ending))
        {
            return;
        }

        SuspendReason reason = ending.End == MachineEnd.Reset ? SuspendReason.Reset : SuspendReason.PowerOff;
        try
        {
            _machine.Suspend(reason);
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.EALREADY)
        {
            MachineLog.SuspendedAlready(_log, _options.Name);
        }
        catch (ObjectDisposedException)
        {
            MachineLog.SuspendedAlready(_log, _options.Name);
        }
    }

    private bool TrySetEnding(Ending ending)
    {
        lock (_endLock)
        {
            if (_ending is not null)
            {
                return false;
            }

            _ending = ending;
        }

        _debugger?.End();
        return true;
    }

    private Ending? CurrentEnding()
    {
        lock (_endLock)
        {
            return _ending;
        }
    }

    private MachineResult Report(Ending ending, VirtualCpu[] vcpus, TimeSpan elapsed)
    {
        VcpuReport[] reports = [.. vcpus.Select(VcpuReport.Read)];
        return new MachineResult
        {
            End = ending.End,
            Detail = ending.Detail,
            Vcpu = ending.Vcpu,
            DebugExitCode = ending.DebugExitCode,
            Exit = ending.Exit,
            Instruction = Instruction(ending, reports),
            Refusal = Failed(ending)?.Refusal ?? EmulationRefusal.None,
            PageWalk = Failed(ending) is { } failed && reports[failed.Id.Value] is { Problem: null } report
                ? failed.Walk(new GuestLinearAddress(report.LinearRip), PageAccess.Execute)
                : null,
            TripleFault = ending.End == MachineEnd.TripleFault ? _machine.TripleFault : null,
            SecondChances = SecondChances(reports),
            Msrs = MsrReport.Of(_machine.MsrAccesses),
            Vcpus = [.. reports],
            Statistics = [.. _machine.ReadHypervisorStatistics()],
            VcpuStatistics = [.. vcpus.Select(cpu => cpu.ReadHypervisorStatistics().ToImmutableArray())],
            Error = ending.Error,
            Elapsed = elapsed,
            Hypervisor = _backend.Description,
        };
    }

    /// <summary>The vCPU with the instruction that nobody could execute.</summary>
    private VirtualCpu? Failed(Ending ending) =>
        ending is { End: MachineEnd.EmulationFailure, Vcpu: { } id } ? _machine.GetVcpu(id) : null;

    private SecondChanceReport? SecondChances(VcpuReport[] reports)
    {
        long count = reports.Sum(report => report.Counters.SecondChances);
        long executed = reports.Sum(report => report.Counters.EmulatedInstructions);
        return executed == 0
            ? null
            : new SecondChanceReport(count, executed, [.. _machine.SecondChancesByInstruction])
            {
                HypervisorSteps = reports.Sum(report => report.Counters.HypervisorSteps),
            };
    }

    /// <summary>
    /// The instruction that the machine ended at: the bytes of the exit, or guest memory where linear addresses are
    /// physical ones.
    /// </summary>
    private InstructionReport? Instruction(Ending ending, VcpuReport[] reports)
    {
        VcpuReport report = reports[ending.Vcpu?.Value ?? 0];
        if (ending.Exit is { Code: ExitCode.InstructionEmulation } exit && exit.InstructionEmulation.Count > 0)
        {
            return InstructionReport.Decode(exit.InstructionEmulation.Bytes, report.Registers.Rip, report.Bitness);
        }

        if (ending.End == MachineEnd.TripleFault && _machine.TripleFault is { Code.IsEmpty: false } fault)
        {
            return InstructionReport.Decode(fault.Code.AsSpan(), fault.Registers.Rip, report.Bitness);
        }

        // A halted vCPU stands behind its HLT; what follows there never ran.
        if (!report.IsUnpaged || report.Problem is not null || ending.End == MachineEnd.Halt)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[15];
        return _machine.Memory.TryRead(new GuestPhysicalAddress(report.LinearRip), bytes)
            ? InstructionReport.Decode(bytes, report.Registers.Rip, report.Bitness)
            : null;
    }

    private sealed record Ending(MachineEnd End, VcpuId? Vcpu, string Detail)
    {
        public int? DebugExitCode { get; init; }

        public VmExit? Exit { get; init; }

        public Exception? Error { get; init; }
    }
}
