// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Descriptors are closed once, children first, and never inside a run.</summary>
[TestFixture]
[Category("Kvm")]
[NonParallelizable]
public sealed class DescriptorLifetimeTests
{
    private const string MemfdName = "vmm-lifetime";

    [Test]
    public void Parents_disposed_first_stay_open_for_their_children()
    {
        KvmSystemFd system = KvmRequirement.Open();
        KvmVmFd vm = system.CreateVm();
        KvmVcpuFd vcpu = vm.CreateVcpu(0);
        int[] numbers = [system.Number, vm.Number, vcpu.Number];

        system.Dispose();
        vm.Dispose();
        bool[] open = [.. numbers.Select(IsOpen)];
        vcpu.GetMpState();
        vcpu.Dispose();

        open.Should().Equal(true, true, true);
        numbers.Select(number => IsKvm(number)).Should().Equal(false, false, false);
    }

    [Test]
    public void Session_keeps_descriptor_and_page_open_past_disposal()
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        KvmVcpuFd vcpu = vm.CreateVcpu(0);
        int number = vcpu.Number;

        vcpu.BeginSession();
        vcpu.Dispose();
        bool openInSession = IsKvm(number);
        vcpu.Page.RequestImmediateExit();
        int result = vcpu.RunInSession();
        vcpu.EndSession();

        openInSession.Should().BeTrue();
        result.Should().Be((int)Vmm.Abstractions.Errors.VmmError.EINTR);
        IsKvm(number).Should().BeFalse();
        FluentActions.Invoking(vcpu.BeginSession).Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void Second_disposal_does_nothing()
    {
        using KvmSystemFd system = KvmRequirement.Open();
        KvmVmFd vm = system.CreateVm();

        vm.Dispose();
        using EventFd reuse = EventFd.Create();
        vm.Dispose();

        IsOpen(reuse.Number).Should().BeTrue();
    }

    [Test]
    public void Dropped_handles_are_closed_by_the_collector()
    {
        using (KvmRequirement.Open())
        {
        }

        Drop();
        Collect();

        KvmDescriptors().Should().BeEmpty();
        RunPages().Should().Be(0);
    }

    [TestCase(50)]
    [TestCase(10_000, Category = "Long", Explicit = true, Reason = "takes minutes")]
    public void Cycles_of_create_run_and_dispose_leave_nothing_behind(int cycles)
    {
        Cycle();
        int descriptors = Descriptors().Length;
        int mappings = Mappings();

        for (int count = 0; count < cycles; count++)
        {
            Cycle();
        }

        // The runtime opens and closes files of its own meanwhile; one leak in each cycle is far more than that.
        Descriptors().Length.Should().BeLessThan(descriptors + 8);
        Mappings().Should().BeLessThan(mappings + 40);
        KvmDescriptors().Should().BeEmpty();
        Descriptors().Should().NotContain(target => target.Contains(MemfdName, StringComparison.Ordinal));
        RunPages().Should().Be(0);
    }

    private static void Cycle()
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        using MemoryMapping memory = MemoryMapping.Create(0x2000, new MemoryMappingOptions { MemfdName = MemfdName });
        vm.SetUserMemoryRegion(0, KvmMemoryRegionFlags.None, 0, memory, 0, memory.Length);
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        memory.Slice(0x1000, 1)[0] = 0xf4;
        vcpu.GetSregs(out KvmSregs registers);
        registers.Cs.Base = 0;
        registers.Cs.Selector = 0;
        vcpu.SetSregs(registers);
        vcpu.SetRegs(new KvmRegs { Rip = 0x1000, Rflags = 2 });
        using KvmVcpuSession session = vcpu.OpenSession();
        session.Run().Should().Be(0);
        session.Page.ExitReason.Should().Be((uint)KvmExitReason.Hlt);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop()
    {
        KvmSystemFd system = KvmRequirement.Open();
        KvmVmFd vm = system.CreateVm();
        KvmVcpuFd vcpu = vm.CreateVcpu(0);
        vcpu.GetMpState();
    }

    private static void Collect()
    {
        for (int round = 0; round < 3; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static bool IsOpen(int number) => LibC.fcntl(number, LibC.F_GETFD, 0) >= 0;

    private static bool IsKvm(int number) => IsKvm(Target(number));

    private static bool IsKvm(string target) =>
        target == KvmSystemFd.DefaultPath || target.StartsWith("anon_inode:kvm-", StringComparison.Ordinal);

    private static string[] Descriptors() =>
        [.. Directory.EnumerateFiles("/proc/self/fd").Select(path => Target(Path.GetFileName(path)))];

    private static IEnumerable<string> KvmDescriptors() =>
        Descriptors().Where(IsKvm);

    private static int Mappings() => File.ReadLines("/proc/self/maps").Count();

    private static int RunPages() =>
        File.ReadLines("/proc/self/maps").Count(line => line.Contains("anon_inode:kvm-vcpu", StringComparison.Ordinal));

    private static string Target(object number) =>
        new FileInfo($"/proc/self/fd/{number}").LinkTarget ?? "";
}
