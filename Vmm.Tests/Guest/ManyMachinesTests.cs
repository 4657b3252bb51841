// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Guest;

/// <summary>Many VMs in one process: all run, all answer a kick, all go, and an idle one keeps little memory.</summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
[NonParallelizable]
public sealed class ManyMachinesTests(string kind)
{
    /// <summary>
    /// A host's scheduler gives each of the spinning guests some milliseconds before the thread that kicks comes to its turn: with all of
    /// them at once, that is minutes.
    /// </summary>
    private const int SpinningAtOnce = 50;

    private const ulong RamLength = 16 << 20;
    private const ulong Code = 0x1000;
    private const ulong Mark = 0x2000;
    private const long MostBytesOfOne = 256 << 10;
    private const int StackBytes = 256 << 10;

    [Test]
    public void Dozens_of_machines_run_answer_a_kick_and_go() => RunMany(48);

    [Test]
    [Category("Long")]
    [Explicit("a minute")]
    public void Thousand_machines_run_answer_a_kick_and_go() => RunMany(1000);

    private void RunMany(int count)
    {
        using IHypervisorBackend backend = Backends.Open(kind);
        Create(backend, 0).Dispose();
        HostResources resources = HostResources.Count();
        long before = ResidentBytes();
        long began = Stopwatch.GetTimestamp();

        VirtualMachine[] machines = [.. Enumerable.Range(1, count).Select(number => Create(backend, number))];
        foreach (VirtualMachine machine in machines)
        {
            CpuOf(machine).Run(VmEntry.Default).Code.Should().Be(ExitCode.Inout);
        }

        double perMachine = Stopwatch.GetElapsedTime(began).TotalMilliseconds / count;
        long each = (ResidentBytes() - before) / count;
        foreach (VirtualMachine[] some in machines.Chunk(SpinningAtOnce))
        {
            Kick(some);
        }

        Array.TrueForAll(machines, machine => CpuOf(machine).Exit.Code == ExitCode.Bogus).Should().BeTrue();
        Array.ForEach(machines, machine => machine.Dispose());

        TestContext.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"each {each / 1024.0:0.0} KiB of resident memory, {perMachine:0.00} ms from nothing to its first exit"));
        each.Should().BeLessThan(MostBytesOfOne);
        HostResources.Count().LeftOver(resources).Should().BeEmpty();
    }

    /// <summary>Lets guests spin and stops each with a kick.</summary>
    private static void Kick(VirtualMachine[] machines)
    {
        Thread[] spinning = [.. machines.Select(Spin)];
        foreach (VirtualMachine machine in machines)
        {
            Background.Until(() => IsMarked(machine));
            CpuOf(machine).RequestYield();
        }

        Array.TrueForAll(spinning, thread => thread.Join(TimeSpan.FromSeconds(60))).Should().BeTrue("every vCPU answers its kick");
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

        // out 0x42, al / L: inc byte [0x2000] / jmp L
        machine.Memory.TryWrite(new(Code), [0xe6, 0x42, 0xfe, 0x06, 0x00, 0x20, 0xeb, 0xfa]).Should().BeTrue();
        VirtualCpu cpu = CpuOf(machine);
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
        cpu.SetRegister(RegisterName.Cs, 0);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        cpu.SetRegister(RegisterName.Rip, Code);
        return machine;
    }

    private static Thread Spin(VirtualMachine machine)
    {
        Thread thread = new(() => CpuOf(machine).Run(VmEntry.FulfillPort(CpuOf(machine).Exit.Port, 0)), StackBytes) { IsBackground = true };
        thread.Start();
        return thread;
    }

    private static bool IsMarked(VirtualMachine machine)
    {
        Span<byte> mark = stackalloc byte[1];
        return machine.Memory.TryRead(new(Mark), mark) && mark[0] != 0;
    }

    private static VirtualCpu CpuOf(VirtualMachine machine) => machine.GetVcpu(new VcpuId(0));

    private static long ResidentBytes()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using System.Diagnostics.Process self = System.Diagnostics.Process.GetCurrentProcess();
        return self.WorkingSet64;
    }
}
