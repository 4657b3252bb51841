// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>What the chips cost: late timers, interrupts from end to end, the bus, VMs that only wait.</summary>
internal static class ChipCosts
{
    private const int DefaultRounds = 5;
    private const int Devices = 64;
    private const int IdleMachines = 1000;

    public static int Run(string[] arguments)
    {
        int rounds = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : DefaultRounds;
        using KvmBackend backend = KvmBackend.Open();
        using CTwin twin = CTwin.Compile("twin.c");
        MeasureLateness(backend, twin, rounds);
        MeasureInterrupts(backend, rounds);
        MeasureBus(backend, rounds);
        MeasureIdle(backend);
        return 0;
    }

    private static void MeasureLateness(KvmBackend backend, CTwin twin, int rounds)
    {
        const int Count = 1000;
        foreach (int percentile in (ReadOnlySpan<int>)[50, 99])
        {
            using VirtualMachine machine = ChipGuest.Create(backend, InterruptControllerMode.Userspace);
            Pairs.Measure(
                $"lateness of a timer, p{percentile}",
                "us",
                rounds,
                double.PositiveInfinity,
                () => MeasureLateness(machine, Count, percentile),
                () => twin.Run($"late{percentile}", Count.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static double MeasureLateness(VirtualMachine machine, int count, int percentile)
    {
        using Lateness lateness = new(machine, count);
        return lateness.Measure(percentile);
    }

    private static void MeasureInterrupts(KvmBackend backend, int rounds)
    {
        foreach (InterruptControllerMode mode in (ReadOnlySpan<InterruptControllerMode>)
            [InterruptControllerMode.Userspace, InterruptControllerMode.Split, InterruptControllerMode.Kernel])
        {
            Measure(backend, rounds, mode, "timer interrupt", ChipGuest.TimerInterrupt, 1000);
            Measure(backend, rounds, mode, "interrupt to itself", ChipGuest.SelfInterrupt, 1000);
            Measure(backend, rounds, mode, "end of interrupt", ChipGuest.EndOfInterrupt, 5000);
        }
    }

    private static void Measure(
        KvmBackend backend, int rounds, InterruptControllerMode mode, string what, ReadOnlySpan<byte> repeated, int count)
    {
        double[] times = new double[rounds];
        long allocated = 0;
        for (int round = -1; round < rounds; round++)
        {
            using ChipGuest guest = new(backend, mode, repeated, count);
            TimeSpan time = guest.Run();
            if (round >= 0)
            {
                times[round] = time.TotalMicroseconds / count;
                allocated = guest.Allocated;
            }
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what}, {mode,-10} {Pairs.Median(times),8:0.00} us (min {times.Min():0.00}, max {times.Max():0.00}); {(double)allocated / count:0.00} bytes each"));
    }

    private static void MeasureBus(KvmBackend backend, int rounds)
    {
        const int Accesses = 1_000_000;
        const ushort FirstPort = 0x2000;
        using VirtualMachine machine = ChipGuest.Create(backend, InterruptControllerMode.Userspace);
        Nothing handler = new();
        for (int device = 0; device < Devices; device++)
        {
            machine.Ports.Attach((ushort)(FirstPort + (device * 8)), handler);
            machine.Mmio.Attach(GuestPhysicalRange.Create(new(0xd000_0000 + ((ulong)device * 0x1000)), 0x1000), handler);
        }

        VirtualCpu cpu = machine.GetVcpu(default);
        double[] ports = new double[rounds];
        double[] mmio = new double[rounds];
        long allocated = 0;
        for (int round = -1; round < rounds; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int access = 0; access < Accesses; access++)
            {
                uint value = 0;
                machine.Ports.Access(cpu, isIn: true, (ushort)(FirstPort + (access % Devices * 8)), 1, ref value);
            }

            long middle = Stopwatch.GetTimestamp();
            for (int access = 0; access < Accesses; access++)
            {
                ulong address = 0xd000_0000 + ((ulong)(access % Devices) * 0x1000);
                if (machine.MmioTable.TryFind(address, out var entry))
                {
                    entry.Value.Read(cpu, address - entry.First, 4);
                }
            }

            long end = Stopwatch.GetTimestamp();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (round >= 0)
            {
                ports[round] = Stopwatch.GetElapsedTime(start, middle).TotalNanoseconds / Accesses;
                mmio[round] = Stopwatch.GetElapsedTime(middle, end).TotalNanoseconds / Accesses;
            }
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"dispatch to one of {Devices} devices: port {Pairs.Median(ports):0.0} ns, MMIO {Pairs.Median(mmio):0.0} ns; {allocated / (2.0 * Accesses):0.00} bytes each"));
    }

    /// <summary>VMs whose vCPUs sleep in HLT, each with the timer of its local APIC armed for more than an hour.</summary>
    private static void MeasureIdle(KvmBackend backend)
    {
        const ulong Apic = 0xfee0_0000;
        const int StackLength = 256 * 1024;
        List<VirtualMachine> machines = [];
        List<Thread> threads = [];
        for (int index = 0; index < IdleMachines; index++)
        {
            VirtualMachine machine = ChipGuest.Create(backend, InterruptControllerMode.Userspace);
            machines.Add(machine);

            // sti / hlt / jmp back to the halt
            machine.Memory.TryWrite(new GuestPhysicalAddress(0x1000), [0xfb, 0xf4, 0xeb, 0xfd]);
            machine.TryWrite(default, new(Apic + 0xf0), 4, 0x1ff);
            machine.TryWrite(default, new(Apic + 0x320), 4, 0x40);
            machine.TryWrite(default, new(Apic + 0x3e0), 4, 0xa);
            machine.TryWrite(default, new(Apic + 0x380), 4, uint.MaxValue);
            Thread thread = new(() => RunToSuspension(machine), StackLength);
            thread.Start();
            threads.Add(thread);
        }

        SpinWait.SpinUntil(() => machines.TrueForAll(machine => machine.GetVcpu(default).GetState(out _) == VcpuState.Sleeping), TimeSpan.FromSeconds(30));
        int armed = machines.Count(machine => machine.Time.Deadlines.NextDue != long.MaxValue);
        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        Stopwatch watch = Stopwatch.StartNew();

        // Nobody does anything in this time: what the process uses is what idle VMs cost.
        Thread.Sleep(TimeSpan.FromSeconds(5));
        process.Refresh();
        double used = (process.TotalProcessorTime - before).TotalMilliseconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{IdleMachines} idle VMs, {armed} with an armed timer: {used:0} ms of processor time in {watch.Elapsed.TotalSeconds:0.0} s; {process.WorkingSet64 / 1024.0 / IdleMachines:0} KiB of the process each"));
        foreach (VirtualMachine machine in machines)
        {
            machine.Suspend(SuspendReason.PowerOff);
        }

        threads.ForEach(static thread => thread.Join());
        machines.ForEach(static machine => machine.Dispose());
    }

    private static void RunToSuspension(VirtualMachine machine)
    {
        while (machine.GetVcpu(default).Run(VmEntry.Default).Code != ExitCode.Suspended)
        {
        }
    }

    private sealed class Nothing : IPortHandler, Abstractions.Memory.IMmioHandler
    {
        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Handled;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value) => PortOutcome.Handled;

        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes) => 0;

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
        {
            // A device that does nothing.
        }
    }

    /// <summary>A deadline each millisecond of a VM that nobody runs, so that the process's timer thread comes to it.</summary>
    private sealed class Lateness : IDeadlineHandler, IDisposable
    {
        private const long Period = 1_000_000;
        private readonly VirtualMachine _machine;
        private readonly Deadline _deadline;
        private readonly double[] _late;
        private readonly ManualResetEventSlim _done = new();
        private int _count;
        private long _due;

        public Lateness(VirtualMachine machine, int count)
        {
            _machine = machine;
            _late = new double[count];
            _deadline = machine.Time.Deadlines.Create(this, 0);
        }

        public double Measure(int percentile)
        {
            _due = _machine.Time.Now + Period;
            _machine.Time.Deadlines.Arm(_deadline, _due);
            _done.Wait();
            Array.Sort(_late);
            return _late[(_late.Length - 1) * percentile / 100];
        }

        public void Dispose() => _done.Dispose();

        void IDeadlineHandler.DeadlineReached(int timer, long now)
        {
            long present = _machine.Time.Now;
            _late[_count++] = (present - _due) / 1000.0;
            if (_count == _late.Length)
            {
                _done.Set();
                return;
            }

            do
            {
                _due += Period;
            }
            while (_due <= present);
            _machine.Time.Deadlines.Arm(_deadline, _due);
        }
    }
}
