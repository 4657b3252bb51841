// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Memory-mapped accesses, writes to ROM, and MSRs.</summary>
public sealed class MmioAndMsrTests : EngineFixture
{
    [Test]
    public void Ranges_of_handlers_do_not_overlap()
    {
        IDisposable middle = Machine.Mmio.Attach(Range(0x2000, 0x1000), new FakeMmio());

        Attaching(0x1fff, 2).ShouldFail(VmmError.EEXIST);
        Attaching(0x2fff, 1).ShouldFail(VmmError.EEXIST);
        Attaching(0, 0x10000).ShouldFail(VmmError.EEXIST);
        Attaching(0x1000, 0x1000).Should().NotThrow();
        Attaching(0x3000, 1).Should().NotThrow();
        middle.Dispose();
        middle.Dispose();
        Attaching(0x2000, 0x1000).Should().NotThrow();
        Attaching(ulong.MaxValue, 1).Should().NotThrow("a range may end at the very top");
    }

    [Test]
    public void Guest_accesses_reach_the_handler_by_offset()
    {
        FakeMmio mmio = new() { Value = 0x1122334455667788 };
        Machine.Mmio.Attach(Range(0xfec00000, 0x1000), mmio);
        Start().ThenMmioRead(0xfec00010, 4).ThenMmioWrite(0xfec00ffc, 4, 0xcafe).ThenMmioRead(0xfec00ff8, 8).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        mmio.Accesses.Should().Equal(
            (true, 0x10, 4, 0x1122334455667788), (false, 0xffc, 4, 0xcafe), (true, 0xff8, 8, 0x1122334455667788));
        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x1122334455667788);
        Cpu.Counters.MmioExits.Should().Be(3);
    }

    [Test]
    public void Access_that_leaves_the_range_is_not_the_handlers()
    {
        FakeMmio mmio = new();
        Machine.Mmio.Attach(Range(0x10000, 0x10), mmio);
        Start().ThenMmioWrite(0x1000c, 8, 1);

        Run().Mmio.Should().Be(new MmioExit(At(0x1000c), 8, false, 1));
        mmio.Accesses.Should().BeEmpty();
    }

    [Test]
    public void Access_at_the_top_of_the_address_space_is_bounded()
    {
        FakeMmio mmio = new();
        Machine.Mmio.Attach(Range(ulong.MaxValue - 3, 4), mmio);
        Start().ThenMmioWrite(ulong.MaxValue - 3, 4, 1).ThenMmioWrite(ulong.MaxValue, 8, 2);

        Run().Mmio.Address.Should().Be(At(ulong.MaxValue));
        mmio.Accesses.Should().Equal((false, 0, 4, 1));
    }

    [Test]
    public void Unclaimed_read_is_answered_by_the_caller()
    {
        Start().ThenMmioRead(0xd0000000, 8).ThenPause();
        VmExit exit = Run();

        Run(VmEntry.FulfillMmio(exit.Mmio, 0x0102030405060708)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x0102030405060708);
        Cpu.Counters.UnclaimedMmio.Should().Be(1);
    }

    [Test]
    public void Default_answers_are_ones_for_reads_and_nothing_for_writes()
    {
        Use(Options() with { UnclaimedAccess = UnclaimedAccess.Default });
        Start().ThenMmioWrite(0xd0000000, 4, 1).ThenMmioRead(0xd0000000, 4).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0xffffffff);
        Cpu.Counters.UnclaimedMmio.Should().Be(2);
    }

    [Test]
    public void Write_to_read_only_memory_is_a_PAGING_exit_once()
    {
        Map(0xf0000, Page, 0, MemoryProtection.ReadExecute, isRam: false);
        FakeVcpu guest = Start().ThenMmioWrite(0xf0010, 1, 0x5a).ThenPause();
        VmExit exit = Run();

        exit.Code.Should().Be(ExitCode.Paging);
        exit.Paging.Should().Be(new PagingExit(At(0xf0010), MemoryProtection.Write));
        exit.Rip.Should().Be(2);
        exit.RipPosition.Should().Be(RipPosition.AfterInstruction, "the hypervisor reports it behind the instruction");
        exit.IsPending.Should().BeFalse();
        Cpu.Pending.Should().NotBe(PendingOperation.Exit);
        Cpu.Counters.UnclaimedMmio.Should().Be(0);

        Run().Code.Should().Be(ExitCode.Pause, "the write is dropped");
        guest.Answers.Should().ContainSingle();
        Backend.Blocks[0].GetSpan(0x10, 1)[0].Should().Be(0);
    }

    [Test]
    public void Read_outside_of_memory_next_to_read_only_memory_is_no_PAGING_exit()
    {
        Map(0xf0000, Page, 0, MemoryProtection.ReadExecute, isRam: false);
        Start().ThenMmioRead(0xf1000, 1).ThenMmioWrite(0xf1000, 1, 0);

        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.Mmio);
        Run(VmEntry.FulfillMmio(exit.Mmio)).Code.Should().Be(ExitCode.Mmio);
    }

    [Test]
    public void Msr_ranges_do_not_overlap_and_are_not_empty()
    {
        Machine.Msrs.Attach(new MsrIndex(0x10), new MsrIndex(0x20), new FakeMsrs());
        Action overlap = () => Machine.Msrs.Attach(new MsrIndex(0x20), new MsrIndex(0x30), new FakeMsrs());
        Action empty = () => Machine.Msrs.Attach(new MsrIndex(0x41), new MsrIndex(0x40), new FakeMsrs());

        overlap.ShouldFail(VmmError.EEXIST);
        empty.ShouldFail(VmmError.EINVAL);
        Machine.Msrs.Attach(new MsrIndex(0x21), new MsrIndex(uint.MaxValue), new FakeMsrs()).Should().NotBeNull();
    }

    [Test]
    public void Msr_accesses_reach_the_handler()
    {
        FakeMsrs msrs = new() { Value = 0x1122334455667788 };
        Machine.Msrs.Attach(new MsrIndex(0x40000000), new MsrIndex(0x400000ff), msrs);
        FakeVcpu guest = Start().ThenRdmsr(0x40000000).ThenWrmsr(0x400000ff, 9).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        msrs.Accesses.Should().Equal((false, 0x40000000, 0x1122334455667788), (true, 0x400000ff, 9));
        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x1122334455667788);
        guest.Answers.Select(answer => answer.Outcome).Should().OnlyContain(outcome => outcome == MsrOutcome.Handled);
        Cpu.Counters.MsrExits.Should().Be(2);
        Cpu.Counters.UnclaimedMsrs.Should().Be(0);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Msr_handler_may_fault(bool isWrite)
    {
        Machine.Msrs.Attach(
            new MsrIndex(0x10), new MsrIndex(0x10), new FakeMsrs { Outcome = MsrOutcome.GeneralProtection });
        FakeVcpu guest = isWrite ? Start().ThenWrmsr(0x10, 1) : Start().ThenRdmsr(0x10);
        guest.ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().ContainSingle().Which.Outcome.Should().Be(MsrOutcome.GeneralProtection);
    }

    [TestCase(UnclaimedMsr.GeneralProtection, false, false, MsrOutcome.GeneralProtection)]
    [TestCase(UnclaimedMsr.GeneralProtection, true, false, MsrOutcome.GeneralProtection)]
    [TestCase(UnclaimedMsr.GeneralProtection, true, true, MsrOutcome.GeneralProtection)]
    [TestCase(UnclaimedMsr.ReadZeroIgnoreWrite, false, false, MsrOutcome.Handled)]
    [TestCase(UnclaimedMsr.ReadZeroIgnoreWrite, false, true, MsrOutcome.Handled)]
    [TestCase(UnclaimedMsr.ReadZeroIgnoreWrite, true, false, MsrOutcome.Handled)]
    public void Msr_nobody_claims_is_the_policys(UnclaimedMsr policy, bool isWrite, bool hasHandler, MsrOutcome expected)
    {
        Use(Options() with { UnclaimedMsr = policy });
        if (hasHandler)
        {
            Machine.Msrs.Attach(
                new MsrIndex(0x10), new MsrIndex(0x10), new FakeMsrs { Value = 5, Outcome = MsrOutcome.Unhandled });
        }

        FakeVcpu guest = isWrite ? Start().ThenWrmsr(0x10, 1) : Start().ThenRdmsr(0x10);
        guest.ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, expected));
        Cpu.Counters.UnclaimedMsrs.Should().Be(1);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Msr_nobody_claims_goes_to_the_caller_who_may_fault(bool isWrite)
    {
        FakeVcpu guest = isWrite ? Start().ThenWrmsr(0x10, 77) : Start().ThenRdmsr(0x10);
        guest.ThenPause();
        VmExit exit = Run();
        exit.Code.Should().Be(isWrite ? ExitCode.Wrmsr : ExitCode.Rdmsr);
        exit.Msr.Should().Be(new MsrExit(new MsrIndex(0x10), isWrite ? 77u : 0u));

        Run(VmEntry.FulfillMsr(exit.Msr.Index, MsrOutcome.GeneralProtection)).Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.GeneralProtection));
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0, "a faulting instruction does not retire");
    }

    private static GuestPhysicalRange Range(ulong address, ulong length) =>
        GuestPhysicalRange.Create(new GuestPhysicalAddress(address), length);

    private Action Attaching(ulong address, ulong length) =>
        () => Machine.Mmio.Attach(Range(address, length), new FakeMmio());
}
