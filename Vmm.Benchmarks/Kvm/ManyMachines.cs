// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Software;

namespace Vmm.Benchmarks.Kvm;

/// <summary>
/// Many VMs in one process: the memory that an idle one keeps, and how many can be created, run to their first exit and disposed in a
/// second over two threads. Userspace mode, one vCPU, 16 MiB; on KVM or on the processor in software.
/// </summary>
internal static class ManyMachines
{
    private const int DefaultCount = 1000;
    private const int Threads = 2;
    private const int Rounds = 9;
    private const ulong RamLength = 16 << 20;
    private const ulong Code = 0x1000;

    // out 0x42, al / jmp back
    private static readonly byte[] s_code = [0xe6, 0x42, 0xeb, 0xfc];

    public static int Run(string[] arguments)
    {
        bool isSoftware = arguments is ["software", ..];
        int count = arguments is [.., var text] && int.TryParse(text, CultureInfo.InvariantCulture, out int given) ? given : DefaultCount;
        using IHypervisorBackend backend = isSoftware ? new SoftwareBackend() : KvmBackend.Open();
        Console.WriteLine($"{backend.Description.Name}:");
        Cycle(backend, count / 10);
        MeasureMemory(backend, count);
        MeasureRate(backend, count);
        return 0;
    }

    private static void MeasureMemory(IHypervisorBackend backend, int count)
    {
        List<VirtualMachine> machines = new(count);
        long before = ResidentBytes();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            machines.Add(Create(backend, i));
        }

        double created = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        long idle = ResidentBytes();
        start = Stopwatch.GetTimestamp();
        machines.ForEach(RunOnce);
        double run = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        long after = ResidentBytes();
        start = Stopwatch.GetTimestamp();
        machines.ForEach(machine => machine.Dispose());
        double disposed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{count} VMs at once: {created / count:0.000} ms to create, {run / count:0.000} ms to run to the first exit, {disposed / count:0.000} ms to dispose"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"resident memory of one: {(idle - before) / 1024.0 / count:0.0} KiB created, {(after - before) / 1024.0 / count:0.0} KiB after a run"));
    }

    private static void MeasureRate(IHypervisorBackend backend, int count)
    {
        double[] rates = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            Cycle(backend, count);
            rates[round] = count / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.Sort(rates);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"create, run, dispose over {Threads} threads: {rates[Rounds / 2]:0} a second, median of {Rounds} rounds ({rates[0]:0} to {rates[^1]:0})"));
    }

    private static void Cycle(IHypervisorBackend backend, int count)
    {
        int next = 0;
        Thread[] threads = new Thread[Threads];
        for (int i = 0; i < Threads; i++)
        {
            threads[i] = new Thread(() =>
            {
                for (int number = Interlocked.Increment(ref next); number <= count; number = Interlocked.Increment(ref next))
                {
                    using VirtualMachine machine = Create(backend, number);
                    RunOnce(machine);
                }
            });
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }
    }

    private static VirtualMachine Create(IHypervisorBackend backend, int number)
    {
        VirtualMachine machine = new VirtualMachineFactory(backend).Create(new VirtualMachineOptions
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"many-{number}"),
            MaxCpus = 1,
        });
        using (IVcpuFreeze freeze = machine.FreezeVcpus())
        {
            machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), RamLength, true);
            machine.MemoryMap.Map(
                freeze, new GuestMemoryMapping(default, RamLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        machine.Memory.TryWrite(new(Code), s_code);
        VirtualCpu cpu = machine.GetVcpu(new VcpuId(0));
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
        cpu.SetRegister(RegisterName.Cs, 0);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        cpu.SetRegister(RegisterName.Rip, Code);
        return machine;
    }

    private static void RunOnce(VirtualMachine machine)
    {
        ExitCode code = machine.GetVcpu(new VcpuId(0)).Run(VmEntry.Default).Code;
        if (code != ExitCode.Inout)
        {
            throw new InvalidOperationException($"a VM ended its run with {code}");
        }
    }

    /// <summary>VmRSS after a collection.</summary>
    private static long ResidentBytes()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using Process self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }
}
