// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>
/// The ways to have the hypervisor do what is its own between two batches, through the backend's contract: one instruction by single step,
/// a run that returns at once, and a port exit for comparison.
/// </summary>
internal sealed class StepCosts : IDisposable
{
    private const int Repetitions = 2000;
    private const ulong MemoryLength = 0x20000;
    private const ulong CodeAddress = 0x1000;

    private readonly IBackendVm _vm;
    private readonly GuestMemoryBlock _memory;
    private readonly IDisposable _placement;
    private readonly IBackendVcpu _vcpu;
    private VmExit _exit;

    private StepCosts(KvmBackend backend)
    {
        _vm = backend.CreateVm(new BackendVmOptions("steps", 1, InterruptControllerMode.Userspace, false, MsrExits: false, HypercallExits: false));
        _memory = backend.AllocateMemory(MemoryLength, default);
        _placement = _vm.PlaceMemory(new MemoryPlacement(GuestPhysicalRange.Create(default, MemoryLength), _memory, 0, ReadOnly: false, TrackDirty: false));
        _vcpu = _vm.CreateVcpu(default);
        _vcpu.SetCpuid(backend.GetSupportedCpuid().AsSpan());
        _vcpu.SetRegister(RegisterName.Cs, 0);
        _vcpu.SetSegmentDescriptor(RegisterName.Cs, _vcpu.GetSegmentDescriptor(RegisterName.Cs) with { Base = 0 });
    }

    /// <summary>Measures and prints medians.</summary>
    public static void Measure(KvmBackend backend, int rounds)
    {
        using StepCosts costs = new(backend);
        double[] step = new double[rounds];
        double[] stepWithState = new double[rounds];
        double[] exit = new double[rounds];
        double[] immediate = new double[rounds];
        for (int round = 0; round < rounds; round++)
        {
            step[round] = costs.Steps(withState: false);
            stepWithState[round] = costs.Steps(withState: true);
            (exit[round], immediate[round]) = costs.Exits();
        }

        Array.Sort(step);
        Array.Sort(stepWithState);
        Array.Sort(exit);
        Array.Sort(immediate);
        int middle = rounds / 2;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"one single step {step[middle]:0.0} us, with registers read and written {stepWithState[middle]:0.0} us, "
            + $"a port exit {exit[middle]:0.0} us, a run that returns at once {immediate[middle]:0.0} us"));
    }

    public void Dispose()
    {
        _vcpu.Dispose();
        _placement.Dispose();
        _vm.Dispose();
        _memory.Dispose();
    }

    /// <summary>Microseconds for each of many steps through <c>inc ax; jmp</c>.</summary>
    private double Steps(bool withState)
    {
        Begin([0x40, 0xeb, 0xfd]);
        _vcpu.BeginRun();
        long start = Stopwatch.GetTimestamp();
        for (int n = 0; n < Repetitions; n++)
        {
            _vcpu.RunOne(ref _exit);
            if (withState)
            {
                _vcpu.GeneralRegisters = _vcpu.GeneralRegisters with { Rbx = (ulong)n };
                _vcpu.SetRegister(RegisterName.Cr2, _vcpu.GetRegister(RegisterName.Cr2) + 1);
            }
        }

        double total = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        _vcpu.EndRun();
        if (_vcpu.GeneralRegisters.Rip is < CodeAddress or > CodeAddress + 3)
        {
            throw new InvalidOperationException($"the guest is at 0x{_vcpu.GeneralRegisters.Rip:x}");
        }

        return total / Repetitions;
    }

    /// <summary>Microseconds for each port output, and for retiring each by a run with <c>immediate_exit</c>.</summary>
    private (double Exit, double Immediate) Exits()
    {
        Begin([0xe6, 0x99, 0xeb, 0xfc]);
        _vcpu.BeginRun();
        long run = 0;
        long complete = 0;
        for (int n = 0; n < Repetitions; n++)
        {
            long start = Stopwatch.GetTimestamp();
            _vcpu.Run(ref _exit);
            long exited = Stopwatch.GetTimestamp();
            _vcpu.Fulfill();
            _vcpu.Complete(ref _exit);
            complete += Stopwatch.GetTimestamp() - exited;
            run += exited - start;
        }

        _vcpu.EndRun();
        double microseconds = 1e6 / Stopwatch.Frequency / Repetitions;
        return (run * microseconds, complete * microseconds);
    }

    private void Begin(ReadOnlySpan<byte> code)
    {
        code.CopyTo(_memory.GetSpan(CodeAddress, code.Length));
        _vcpu.GeneralRegisters = new GeneralRegisters { Rip = CodeAddress, Rflags = 2, Rsp = 0x8000 };
    }
}
