// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics;
using Iced.Intel;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm;

/// <summary>The time that guests of KVM see: its paravirtual clock across a pause, and the time-stamp counter.</summary>
[Category("Kvm")]
public sealed class ClockKvmTests
{
    private const uint ClockMsr = 0x4b564d01;
    private const ulong ClockPage = LongModeMachine.Data;
    private const ulong Result = LongModeMachine.Data + 0x1000;
    private const int StoppedFlag = 2;
    private static readonly MsrIndex s_counter = new(0x10);

    [TestCase(InterruptControllerMode.Userspace, false)]
    [TestCase(InterruptControllerMode.Userspace, true)]
    [TestCase(InterruptControllerMode.Split, false)]
    [TestCase(InterruptControllerMode.Kernel, false)]
    public void Paravirtual_clock_does_not_count_a_pause_and_says_that_there_was_one(InterruptControllerMode mode, bool carries)
    {
        using KvmBackend backend = KvmRequirement.OpenBackend();
        RequireClock(backend);
        using LongModeMachine guest = new(backend, mode, configure: options => options with { CarriesFromStart = carries });
        guest.Assemble(ReadClockForEver);
        guest.RunToEnd();
        IsToldOfPause(guest).Should().BeFalse();

        long began = Stopwatch.GetTimestamp();
        RunAgain(guest);
        ulong before = guest.Read64(Result);
        TimeSpan paused = Pause(guest);
        RunAgain(guest);
        ulong after = guest.Read64(Result);
        TimeSpan whole = Stopwatch.GetElapsedTime(began);

        // Two clocks of the host are compared, and nothing with a limit: what the guest counted fits into the time that it was not stopped.
        TimeSpan counted = TimeSpan.FromTicks((long)(after - before) / TimeSpan.NanosecondsPerTick);
        after.Should().BeGreaterThan(before);
        counted.Should().BeLessThan(whole - paused + (paused / 10));
        IsToldOfPause(guest).Should().BeTrue();
    }

    [Test]
    public void Offset_of_the_counter_is_the_real_one_and_a_restore_that_does_not_take_is_named()
    {
        const ulong Wanted = 1ul << 52;
        using KvmBackend backend = KvmRequirement.OpenBackend();
        RecordingLog log = new();
        using VirtualMachine machine = new VirtualMachineFactory(backend, log.Logger).Create(
            new VirtualMachineOptions { Name = "counter", MaxCpus = 1 });
        VirtualCpu cpu = machine.GetVcpu(new VcpuId(0));
        cpu.Activate();
        int warnings = log.Warnings.Count;

        ImmutableArray<MsrRefusal> refused =
            cpu.RestoreMsrs([new MsrEntry(s_counter, Wanted)], MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn);

        cpu.TryGetMsr(s_counter, out ulong shown).Should().BeTrue();
        ulong offset = cpu.GetTscOffset(physicalAdjust: false);
        if (backend.TakesTscOffset)
        {
            warnings.Should().Be(0);
            refused.Should().BeEmpty();
            shown.Should().BeGreaterThanOrEqualTo(Wanted);
            offset.Should().NotBe(0);
        }
        else
        {
            log.Warnings[0].Should().ContainAll("counter", "IA32_TSC");
            refused.Should().ContainSingle().Which.ToString().Should().ContainAll("IA32_TSC", "does not take an offset");
            log.Warnings[^1].Should().Contain("not restored");
            shown.Should().BeLessThan(Wanted);
            offset.Should().Be(0, "the guest sees the host's count");
        }
    }

    private static void RequireClock(KvmBackend backend)
    {
        const uint Features = 0x40000001;
        const uint Clock = 1 << 3;
        if (!backend.GetSupportedCpuid().Any(entry => entry.Function == Features && (entry.Eax & Clock) != 0))
        {
            Assert.Ignore("this host's KVM offers no paravirtual clock");
        }
    }

    /// <summary>As the clock's page says (Linux, Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW).</summary>
    private static void ReadClockForEver(Assembler a)
    {
        Label again = a.CreateLabel();
        Label left = a.CreateLabel();
        Label scaled = a.CreateLabel();
        a.mov(ecx, ClockMsr);
        a.mov(eax, (uint)ClockPage | 1);
        a.xor(edx, edx);
        a.wrmsr();
        a.mov(rdi, ClockPage);
        a.Label(ref again);
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        a.sub(rax, __qword_ptr[rdi + 8]);
        a.mov(cl, __byte_ptr[rdi + 28]);
        a.test(cl, cl);
        a.jns(left);
        a.neg(cl);
        a.shr(rax, cl);
        a.jmp(scaled);
        a.Label(ref left);
        a.shl(rax, cl);
        a.Label(ref scaled);
        a.mov(edx, __dword_ptr[rdi + 24]);
        a.mul(rdx);
        a.shrd(rax, rdx, 32);
        a.add(rax, __qword_ptr[rdi + 16]);
        a.mov(__qword_ptr[rdi + 0x1000], rax);
        LongModeMachine.End(a);
        a.jmp(again);
    }

    private static void RunAgain(LongModeMachine guest)
    {
        VmExit exit = guest.Run(VmEntry.FulfillPort(guest.Cpu.Exit.Port, 0));
        exit.Code.Should().Be(ExitCode.Inout, exit.ToString());
        exit.Port.Port.Should().Be(LongModeMachine.EndPort);
    }

    private static bool IsToldOfPause(LongModeMachine guest) => (guest.Read(ClockPage + 29, 1)[0] & StoppedFlag) != 0;

    /// <summary>Pauses the VM for a while.</summary>
    /// <returns>How long at least.</returns>
    private static TimeSpan Pause(LongModeMachine guest)
    {
        using IVcpuFreeze freeze = guest.Machine.FreezeVcpus();
        guest.Machine.Pause(freeze);
        long began = Stopwatch.GetTimestamp();
        SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(began) > TimeSpan.FromMilliseconds(100));
        TimeSpan paused = Stopwatch.GetElapsedTime(began);
        guest.Machine.Resume(freeze);
        return paused;
    }
}
