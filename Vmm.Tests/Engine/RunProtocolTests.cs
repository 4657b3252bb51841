// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Pending exits: reported again, answered, abandoned, retired.</summary>
public sealed class RunProtocolTests : EngineFixture
{
    [Test]
    public void Inactive_vCPU_does_not_run()
    {
        Action run = () => Run();

        run.ShouldFail(VmmError.EINVAL);
        Cpu.GetState(out _).Should().Be(VcpuState.Idle, "a refused run gives the vCPU back");
    }

    [Test]
    [Proves("vm_vie_ctx")]
    public void Pending_exit_is_reported_again_without_entering()
    {
        FakeVcpu guest = Start().ThenIn(0x60, 1);
        VmExit first = Run();
        first.IsPending.Should().BeTrue();
        first.Port.Should().Be(new PortExit(0x60, 1, PortFlags.In, 1, 0));

        for (int i = 0; i < 3; i++)
        {
            VmExit again = Run();
            again.Code.Should().Be(ExitCode.Inout);
            again.Port.Should().Be(first.Port);
            again.Rip.Should().Be(first.Rip);
        }

        guest.Entries.Should().Be(1);
        Cpu.Pending.Should().Be(PendingOperation.Exit);
        Cpu.Counters.PortExits.Should().Be(1);
    }

    [Test]
    [Proves("vm_run")]
    public void Fulfilled_input_reaches_the_guest_and_retires_the_instruction()
    {
        FakeVcpu guest = Start().ThenIn(0x60, 1).ThenPause();
        guest.GeneralRegisters = new GeneralRegisters { Rip = 0x100, Rax = 0x1122334455667788, Rflags = 2 };
        VmExit request = Run();
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0x100, "a pending read shows the state before it");

        Run(VmEntry.FulfillPort(request.Port, 0xab)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x11223344556677ab);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0x102);
        Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void Registers_written_during_a_pending_read_take_effect_after_it()
    {
        Start().ThenIn(0x60, 1).ThenPause();
        VmExit request = Run();
        Cpu.SetRegister(RegisterName.Rax, 0x5555);

        Run(VmEntry.FulfillPort(request.Port, 0xab));

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x5555);
    }

    [Test]
    public void Answer_that_does_not_match_is_EINVAL_and_leaves_the_exit_pending()
    {
        FakeVcpu guest = Start().ThenIn(0x60, 1);
        PortExit port = Run().Port;
        MmioExit mmio = new(At(0x60), 1, true, 0);
        VmEntry[] wrong =
        [
            VmEntry.FulfillPort(port with { Port = 0x61 }),
            VmEntry.FulfillPort(port with { Bytes = 2 }),
            VmEntry.FulfillPort(port with { Flags = PortFlags.None }),
            VmEntry.FulfillMmio(mmio),
            VmEntry.FulfillMsr(new MsrIndex(0x60), MsrOutcome.Handled),
            VmEntry.FulfillHypercall(0),
        ];

        foreach (VmEntry entry in wrong)
        {
            Action answer = () => Run(entry);
            answer.ShouldFail(VmmError.EINVAL);
        }

        Cpu.Pending.Should().Be(PendingOperation.Exit);
        guest.Answers.Should().BeEmpty();
        Run().Code.Should().Be(ExitCode.Inout);
    }

    [Test]
    public void Mismatched_memory_mapped_answers_are_EINVAL()
    {
        Start().ThenMmioRead(0xfee00000, 4);
        MmioExit mmio = Run().Mmio;
        VmEntry[] wrong =
        [
            VmEntry.FulfillMmio(mmio with { Address = At(0xfee00004) }),
            VmEntry.FulfillMmio(mmio with { Bytes = 8 }),
            VmEntry.FulfillMmio(mmio with { IsRead = false }),
            VmEntry.FulfillPort(new PortExit(0, 4, PortFlags.In, 1, 0)),
        ];
        foreach (VmEntry entry in wrong)
        {
            Action answer = () => Run(entry);
            answer.ShouldFail(VmmError.EINVAL);
        }
    }

    [Test]
    public void Mismatched_msr_answers_are_EINVAL()
    {
        Start().ThenRdmsr(0x1234);
        Run();
        Action other = () => Run(VmEntry.FulfillMsr(new MsrIndex(0x1235), MsrOutcome.Handled));
        Action undecided = () => Run(VmEntry.FulfillMsr(new MsrIndex(0x1234), MsrOutcome.Unhandled));

        other.ShouldFail(VmmError.EINVAL);
        undecided.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Answer_without_a_question_is_EINVAL()
    {
        Start().ThenPause();
        VmEntry[] answers =
        [
            VmEntry.FulfillPort(new PortExit(0x60, 1, PortFlags.In, 1, 0)),
            VmEntry.FulfillMmio(default),
            VmEntry.FulfillMsr(default, MsrOutcome.Handled),
            VmEntry.FulfillHypercall(0),
        ];
        foreach (VmEntry entry in answers)
        {
            Action answer = () => Run(entry);
            answer.ShouldFail(VmmError.EINVAL);
        }

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Discard_abandons_the_access_and_leaves_the_state_before_it()
    {
        FakeVcpu guest = Start().ThenIn(0x60, 1).ThenPause();
        guest.GeneralRegisters = new GeneralRegisters { Rip = 0x100, Rax = 7, Rflags = 2 };
        Run();
        Cpu.SetRegister(RegisterName.Rip, 0x200);

        Run(VmEntry.DiscardInstruction).Code.Should().Be(ExitCode.Pause);

        guest.Discards.Should().Be(1);
        guest.Answers.Should().BeEmpty();
        Cpu.GetRegister(RegisterName.Rax).Should().Be(7);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0x200, "where the embedder has moved it");
    }

    [Test]
    public void Discard_without_a_pending_exit_just_enters()
    {
        FakeVcpu guest = Start().ThenPause();

        Run(VmEntry.DiscardInstruction).Code.Should().Be(ExitCode.Pause);
        guest.Discards.Should().Be(0);
    }

    [Test]
    public void Refused_access_is_an_INST_EMUL_exit_that_only_a_discard_ends()
    {
        FakeVcpu guest = Start().ThenOut(0x60, 1, 9).ThenPause();
        guest.GeneralRegisters = new GeneralRegisters { Rip = 0x100, Rflags = 2 };
        Machine.Ports.Attach(0x60, new FakePort { Outcome = () => PortOutcome.Refused });
        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.InstructionEmulation);
        exit.Rip.Should().Be(0x100);
        exit.InstructionEmulation.Count.Should().Be(0);

        Run().Code.Should().Be(ExitCode.InstructionEmulation);
        Action answer = () => Run(VmEntry.FulfillPort(new PortExit(0x60, 1, PortFlags.None, 1, 9)));
        answer.ShouldFail(VmmError.EINVAL);
        Run(VmEntry.DiscardInstruction).Code.Should().Be(ExitCode.Pause);
        guest.Entries.Should().Be(2);
    }

    [Test]
    public void Completing_needs_an_answer_and_then_retires_without_entering()
    {
        FakeVcpu guest = Start().ThenIn(0x60, 1).ThenIn(0x61, 1);
        Cpu.CompletePending().Should().BeTrue("nothing is pending");
        PortExit request = Run().Port;
        Action complete = () => Cpu.CompletePending();
        complete.ShouldFail(VmmError.EBUSY);
        Machine.Ports.Attach(0x61, new FakePort { During = _ => Cpu.RequestYield() });

        Run(VmEntry.FulfillPort(request, 1)).Code.Should().Be(ExitCode.Bogus);

        Cpu.Pending.Should().Be(PendingOperation.Answered, "the handler has answered and the guest has not been entered");
        Cpu.CompletePending().Should().BeTrue();
        Cpu.Pending.Should().Be(PendingOperation.None);
        guest.Entries.Should().Be(2);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(4);
    }

    [Test]
    public void Instruction_with_further_accesses_asks_for_each()
    {
        FakeVcpu guest = Start().ThenMmioRead(0x1ffc, 4).ThenPause();
        MmioExit request = Run().Mmio;
        guest.AddFragment((FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioRead(ref exit, 0x2000, 4));

        VmExit further = Run(VmEntry.FulfillMmio(request, 1));
        further.Mmio.Address.Should().Be(At(0x2000));
        guest.Entries.Should().Be(1);

        Run(VmEntry.FulfillMmio(further.Mmio, 2)).Code.Should().Be(ExitCode.Pause);
        guest.Answers.Select(answer => answer.Value).Should().Equal(1, 2);
    }

    [Test]
    [Proves("vm_exitinfo")]
    public void Completion_that_needs_a_further_answer_says_so()
    {
        FakeVcpu guest = Start().ThenMmioRead(0x1ffc, 4).ThenPause();
        Machine.Mmio.Attach(
            Vmm.Abstractions.Addressing.GuestPhysicalRange.Create(At(0x1000), Page), new YieldingMmio());
        Cpu.RequestYield();
        Run();
        Run().Code.Should().Be(ExitCode.Bogus);
        guest.AddFragment((FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioRead(ref exit, 0x2000, 4));

        Cpu.CompletePending().Should().BeFalse();

        Cpu.Exit.Mmio.Address.Should().Be(At(0x2000));
        Run().Mmio.Address.Should().Be(At(0x2000));
        Run(VmEntry.FulfillMmio(Cpu.Exit.Mmio, 2)).Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Hypercall_goes_to_the_caller_and_its_result_to_the_guest()
    {
        FakeVcpu guest = Start().ThenHypercall(12).ThenPause();
        VmExit exit = Run();
        exit.Hypercall.Should().Be(new HypercallExit(12, 1, 2, 3, 4, 5, true));

        Run(VmEntry.FulfillHypercall(0xfffffffffffffff2)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0xfffffffffffffff2);
        Cpu.Counters.HypercallExits.Should().Be(1);
        guest.Answers.Should().ContainSingle();
    }

    [Test]
    public void Host_that_refuses_a_run_leaves_a_usable_vCPU()
    {
        FakeVcpu guest = Start()
            .Then((FakeVcpu _, ref VmExit _) => throw new VmmException("KVM_RUN", VmmError.EFAULT, "gone"))
            .ThenPause();
        Action run = () => Run();
        run.ShouldFail(VmmError.EFAULT);
        guest.IsInSession.Should().BeFalse();

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Host_that_refuses_to_begin_leaves_a_usable_vCPU()
    {
        FakeVcpu guest = Start().ThenPause();
        guest.BeginRunRefusal = new VmmException("sigmask", VmmError.EINVAL, "no");
        Action run = () => Run();
        run.ShouldFail(VmmError.EINVAL);
        guest.BeginRunRefusal = null;
        Cpu.IsInRun.Should().BeFalse();

        Run().Code.Should().Be(ExitCode.Pause);
        Machine.Suspend(SuspendReason.Reset);
        Machine.SuspendedVcpus.Count.Should().Be(1);
    }

    [TestCase(ExitCode.Pause)]
    [TestCase(ExitCode.Breakpoint)]
    [TestCase(ExitCode.InstructionEmulation)]
    [TestCase(ExitCode.Paging)]
    [TestCase(ExitCode.MemoryFault)]
    [TestCase(ExitCode.TaskSwitch)]
    [TestCase(ExitCode.Vmx)]
    [TestCase(ExitCode.Svm)]
    [TestCase(ExitCode.EntryFailure)]
    [TestCase(ExitCode.InternalError)]
    [TestCase(ExitCode.SystemEvent)]
    [TestCase(ExitCode.Unknown)]
    [TestCase((ExitCode)0x7777)]
    public void Exit_that_only_the_caller_can_decide_is_returned(ExitCode code)
    {
        FakeVcpu guest = Start().ThenExit(code).ThenPause();

        Run().Code.Should().Be(code);

        guest.Entries.Should().Be(1);
        Cpu.Counters.OtherExits.Should().Be(1);
        Run().Code.Should().Be(ExitCode.Pause, "it is not pending");
    }

    [TestCase(ExitCode.Bogus)]
    [TestCase(ExitCode.InterruptWindow)]
    public void Exit_that_concerns_the_engine_only_is_not_returned(ExitCode code)
    {
        FakeVcpu guest = Start().ThenExit(code).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);
        guest.Entries.Should().Be(2);
    }

    [TestCase(ExitCode.Monitor)]
    [TestCase(ExitCode.Mwait)]
    [TestCase(ExitCode.VmInstruction)]
    public void Instruction_that_the_guest_may_not_use_is_an_invalid_opcode(ExitCode code)
    {
        FakeVcpu guest = Start().ThenExit(code).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Delivered.Should().ContainSingle().Which.Vector.Should().Be(6);
        Cpu.Counters.Exceptions.Should().Be(1);
    }

    [Test]
    public void Single_step_stops_the_vCPU_for_its_debugger()
    {
        Start()
            .Then((FakeVcpu _, ref VmExit exit) => exit.SetDebug(ExitCode.MonitorTrap, new DebugExit(1, 0x10, 0x4000, 0), 0x10))
            .ThenPause();

        Run().Debug.Pc.Should().Be(0x10);

        Machine.DebugVcpus.Should().Equal(new VcpuId(0));
        Run().Code.Should().Be(ExitCode.Debug);
        Cpu.ResumeFromDebug();
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    [Proves("vm_exit_suspended")]
    public void Shutdown_of_the_guest_is_a_triple_fault_of_the_VM()
    {
        Start().ThenExit(ExitCode.Shutdown);

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        Machine.SuspendReason.Should().Be(SuspendReason.TripleFault);
        Run().Suspended.Should().Be(SuspendReason.TripleFault);
    }

    [Test]
    public void Shutdown_after_another_suspension_keeps_the_first_reason()
    {
        Start().ThenDo(() => Machine.Suspend(SuspendReason.PowerOff)).ThenExit(ExitCode.Shutdown);

        Run().Suspended.Should().Be(SuspendReason.PowerOff);
    }

    private sealed class YieldingMmio : Vmm.Abstractions.Memory.IMmioHandler
    {
        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
        {
            vcpu.RequestYield();
            return 0;
        }

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
        {
        }
    }

    [Test]
    public void Read_that_was_answered_before_a_yield_retires_before_an_interrupt_comes()
    {
        Machine.ExternalInterruptSource = new VectorSource(0x30);
        FakeVcpu guest = Start().ThenMmioRead(0x9000, 4).ThenPause().ThenPause();
        guest.SetRegister(RegisterName.Rflags, 0x202);
        guest.AtRetirement = () => guest.SetRegister(RegisterName.InterruptShadow, 1);
        MmioExit request = Run().Mmio;
        Cpu.RequestYield();
        Run(VmEntry.FulfillMmio(request, 1)).Code.Should().Be(ExitCode.Bogus);
        Cpu.InjectExternalInterrupt();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Delivered.Should().BeEmpty("the instruction was one that holds interrupts back");
        guest.InterruptWindowRequested.Should().BeTrue();
    }

    private sealed class VectorSource(byte vector) : Vmm.Abstractions.Events.IExternalInterruptSource
    {
        public byte Acknowledge() => vector;
    }
}
