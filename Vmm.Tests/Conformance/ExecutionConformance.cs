// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>Tiny real-mode guests for backends that execute code; each is given with its disassembly.</summary>
public abstract class ExecutionConformance : StateConformance
{
    private const byte Hlt = 0xf4;

    /// <summary>The port that a guest writes to when it is done: a halt is noticed late where the hypervisor keeps it to itself.</summary>
    private const byte End = 0xfe;

    [Test]
    public void Output_reaches_its_handler()
    {
        FakePort port = new();
        Machine.Ports.Attach(0x80, port);
        // mov al, 0x5a; out 0x80, al; mov ax, 0x1234; out 0x80, ax; hlt
        Load(0xb0, 0x5a, 0xe6, 0x80, 0xb8, 0x34, 0x12, 0xe7, 0x80, Hlt);

        Run().Suspended.Should().Be(SuspendReason.Halt, "the only vCPU halts with interrupts disabled");

        port.Accesses.Should().Equal((false, 0x80, 1, 0x5au), (false, 0x80, 2, 0x1234u));
        Cpu.GetRegister(RegisterName.Rip).Should().Be(CodeAddress + 10);
    }

    [Test]
    public void Input_comes_from_the_caller_and_keeps_the_rest_of_RAX()
    {
        // in al, 0x60; out 0xfe, al
        Load(0xe4, 0x60, 0xe6, End);
        Cpu.SetRegister(RegisterName.Rax, 0x1122334455667788);
        VmExit exit = Run();
        exit.Port.Should().Be(new PortExit(0x60, 1, PortFlags.In, 1, 0));
        exit.Rip.Should().Be(CodeAddress);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(CodeAddress);
        Run().Port.Should().Be(exit.Port, "it is reported until it is answered");

        Run(VmEntry.FulfillPort(exit.Port, 0xabcd)).Port.Port.Should().Be(End);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x11223344556677cd);
    }

    [Test]
    public void Discarded_input_leaves_registers_and_lets_RIP_be_moved()
    {
        // in al, 0x60; hlt; out 0x80, al
        Load(0xe4, 0x60, Hlt, 0xe6, 0x80);
        Cpu.SetRegister(RegisterName.Rax, 0x77);
        Run().Port.Port.Should().Be(0x60);
        Cpu.SetRegister(RegisterName.Rip, CodeAddress + 3);

        VmExit exit = Run(VmEntry.DiscardInstruction);

        exit.Port.Port.Should().Be(0x80);
        exit.Port.Eax.Should().Be(0x77);
    }

    [Test]
    public void Answered_input_retires_without_the_next_instruction()
    {
        // in al, 0x60; out 0x80, al
        Load(0xe4, 0x60, 0xe6, 0x80);
        Machine.Ports.Attach(0x60, new FakePort { During = cpu => cpu.RequestYield() });
        Run().Code.Should().Be(ExitCode.Bogus);
        Cpu.Pending.Should().Be(PendingOperation.Answered);

        Cpu.CompletePending().Should().BeTrue();

        Cpu.Pending.Should().Be(PendingOperation.None);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(CodeAddress + 2);
    }

    [Test]
    public void Memory_mapped_accesses_reach_their_handler()
    {
        FakeMmio mmio = new() { Value = 0xc3 };
        Machine.Mmio.Attach(GuestPhysicalRange.Create(new(0xd0000), 0x1000), mmio);
        // mov ax, 0xd000; mov ds, ax; mov al, [0x10]; mov [0x21], al; out 0xfe, al
        Load(0xb8, 0x00, 0xd0, 0x8e, 0xd8, 0xa0, 0x10, 0x00, 0xa2, 0x21, 0x00, 0xe6, End);

        Run().Port.Port.Should().Be(End);

        mmio.Accesses.Should().Equal((true, 0x10, 1, 0xc3), (false, 0x21, 1, 0xc3));
    }

    [Test]
    public void String_output_and_input_move_memory()
    {
        List<byte> written = [];
        FakePort input = new();
        input.Values.Clear();
        Array.ForEach<uint>([0x11, 0x22, 0x33, 0x44], input.Values.Enqueue);
        FakePort output = new();
        Machine.Ports.Attach(0x80, output);
        Machine.Ports.Attach(0x81, input);
        // cld; mov si, 0x2000; mov cx, 4; mov dx, 0x80; rep outsb; mov di, 0x3000; mov cx, 4; inc dx; rep insb; out 0xfe, al
        Load(
            0xfc, 0xbe, 0x00, 0x20, 0xb9, 0x04, 0x00, 0xba, 0x80, 0x00, 0xf3, 0x6e, 0xbf, 0x00, 0x30, 0xb9, 0x04, 0x00, 0x42,
            0xf3, 0x6c, 0xe6, End);
        Write(0x2000, 0xa1, 0xb2, 0xc3, 0xd4);

        Run().Port.Port.Should().Be(End);

        written.AddRange(output.Accesses.Select(access => (byte)access.Value));
        written.Should().Equal(0xa1, 0xb2, 0xc3, 0xd4);
        Read(0x3000, 5).Should().Equal(0x11, 0x22, 0x33, 0x44, 0);
        Cpu.GetRegister(RegisterName.Rcx).Should().Be(0);
        Cpu.GetRegister(RegisterName.Rdi).Should().Be(0x3004);
    }

    [Test]
    public void Write_to_ROM_is_a_PAGING_exit_and_changes_nothing()
    {
        Map(0xf0000, 0x1000, 1, MemoryProtection.ReadExecute, isRam: false);
        // mov ax, 0xf000; mov ds, ax; mov byte [0x10], 0x5a; mov al, [0x10]; out 0xfe, al
        Load(0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xc6, 0x06, 0x10, 0x00, 0x5a, 0xa0, 0x10, 0x00, 0xe6, End);
        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.Paging);
        exit.Paging.Should().Be(new PagingExit(new(0xf0010), MemoryProtection.Write));

        Run().Port.Port.Should().Be(End);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0xf000);
    }

    [Test]
    public void Unknown_MSR_is_the_policys()
    {
        // mov ecx, 0x12345; rdmsr; out 0x80, al
        Load(0x66, 0xb9, 0x45, 0x23, 0x01, 0x00, 0x0f, 0x32, 0xe6, 0x80);
        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.Rdmsr);
        exit.Msr.Index.Should().Be(new MsrIndex(0x12345));

        VmExit after = Run(VmEntry.FulfillMsr(exit.Msr.Index, MsrOutcome.Handled, 0x1122334455667788));

        after.Port.Eax.Should().Be(0x88);
        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x55667788);
        Cpu.GetRegister(RegisterName.Rdx).Should().Be(0x11223344);
    }

    [Test]
    public void Write_to_an_unknown_MSR_comes_with_its_value()
    {
        // mov ecx, 0x12345; mov eax, 0x55667788; mov edx, 0x11223344; wrmsr; out 0x80, al
        Load(
            0x66, 0xb9, 0x45, 0x23, 0x01, 0x00, 0x66, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x66, 0xba, 0x44, 0x33, 0x22, 0x11, 0x0f, 0x30,
            0xe6, 0x80);
        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.Wrmsr);
        exit.Msr.Index.Should().Be(new MsrIndex(0x12345));
        exit.Msr.Value.Should().Be(0x1122334455667788);

        Run(VmEntry.FulfillMsr(exit.Msr.Index, MsrOutcome.Handled)).Port.Port.Should().Be(0x80);
    }

    [Test]
    public void Multiplication_takes_its_operand_from_a_device()
    {
        FakeMmio mmio = new() { Value = 7 };
        Machine.Mmio.Attach(GuestPhysicalRange.Create(new(0xd0000), 0x1000), mmio);
        // mov ax, 0xd000; mov ds, ax; mov bx, 6; imul bx, [0x10]; mov al, bl; out 0xfe, al
        Load(0xb8, 0x00, 0xd0, 0x8e, 0xd8, 0xbb, 0x06, 0x00, 0x0f, 0xaf, 0x1e, 0x10, 0x00, 0x88, 0xd8, 0xe6, End);

        (Run().Port.Eax & 0xff).Should().Be(42);

        mmio.Accesses.Should().Equal((true, 0x10, 2, 7));
    }

    [Test]
    public void Injected_exception_reaches_its_handler()
    {
        // hlt; at 0x2000, the handler of vector 6: out 0x86, al
        Load(Hlt);
        Write(0x2000, 0xe6, 0x86);
        Write(6 * 4, 0x00, 0x20, 0x00, 0x00);
        Cpu.Inject(GuestException.InvalidOpcode());

        VmExit exit = Run();

        exit.Port.Port.Should().Be(0x86);
        Read(0x8000 - 6, 2).Should().Equal([0x00, 0x10], "the return address is the instruction that was to come");
    }

    [Test]
    public void Fault_in_place_of_an_answer_returns_to_the_instruction()
    {
        // in al, 0x60; at 0x2000, the handler of vector 13: out 0x8d, al
        Load(0xe4, 0x60);
        Write(0x2000, 0xe6, 0x8d);
        Write(13 * 4, 0x00, 0x20, 0x00, 0x00);
        Cpu.SetRegister(RegisterName.Rax, 0x42);
        Run().Port.Port.Should().Be(0x60);

        Cpu.Inject(GuestException.GeneralProtection());

        Run().Port.Should().Be(new PortExit(0x8d, 1, PortFlags.None, 1, 0x42));
        Read(0x8000 - 6, 2).Should().Equal([0x00, 0x10], "a fault has not carried out its instruction");
    }

    [Test]
    public void Trap_behind_an_answer_returns_behind_the_instruction()
    {
        // in al, 0x60; at 0x2000, the handler of vector 1: out 0x81, al
        Load(0xe4, 0x60);
        Write(0x2000, 0xe6, 0x81);
        Write(1 * 4, 0x00, 0x20, 0x00, 0x00);
        VmExit exit = Run();

        Cpu.Inject(new GuestException(ExceptionVector.Debug, null, RestartInstruction: false));

        Run(VmEntry.FulfillPort(exit.Port, 0x5a)).Port.Should().Be(new PortExit(0x81, 1, PortFlags.None, 1, 0x5a));
        Read(0x8000 - 6, 2).Should().Equal([0x02, 0x10], "a trap comes behind its instruction");
    }

    [Test]
    public void Reset_abandons_an_access_that_waits_for_its_answer()
    {
        // in al, 0x60
        Load(0xe4, 0x60);
        Run().Port.Port.Should().Be(0x60);

        Cpu.Reset(initOnly: false);

        Cpu.Pending.Should().Be(PendingOperation.None);
        // out 0x80, al
        Load(0xe6, 0x80);
        Run().Port.Should().Be(new PortExit(0x80, 1, PortFlags.None, 1, 0));
    }

    [Test]
    public void Nmi_wakes_a_halted_guest()
    {
        // hlt; at 0x2000, the handler of vector 2: out 0x82, al
        Load(Hlt);
        Write(0x2000, 0xe6, 0x82);
        Write(2 * 4, 0x00, 0x20, 0x00, 0x00);
        Cpu.SetRegister(RegisterName.Rflags, 0x202);
        Background runner = Background.Start(() => Run().Port.Port.Should().Be(0x82));
        Background.Until(() => Cpu.GetState(out _) is VcpuState.Sleeping or VcpuState.Running);

        Cpu.InjectNmi();

        runner.Join();
    }

    [Test]
    public void Kick_makes_a_spinning_guest_return()
    {
        // jmp $
        Load(0xeb, 0xfe);
        for (int i = 0; i < 20; i++)
        {
            Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
            Background.Until(() => Cpu.IsRunning);
            Cpu.RequestYield();
            runner.Join();
        }

        Cpu.GetRegister(RegisterName.Rip).Should().Be(CodeAddress);
    }

    [Test]
    public void Suspension_and_destruction_reach_a_spinning_guest()
    {
        // jmp $
        Load(0xeb, 0xfe);
        Background runner = Background.Start(() => Run().Suspended.Should().Be(SuspendReason.Reset));
        Background.Until(() => Cpu.IsRunning);
        Machine.Suspend(SuspendReason.Reset);
        runner.Join();

        Recreate(new VirtualMachineOptions { Name = "second", MaxCpus = 1 });
        Load(0xeb, 0xfe);
        runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => Cpu.IsRunning);
        Machine.Dispose();
        runner.Join();
    }

    [Test]
    public void Fault_without_a_way_to_its_handler_is_a_triple_fault()
    {
        // ud2, in protected mode: KVM's own emulator does not look at the limit of the real-mode table.
        Load(0x0f, 0x0b);
        Cpu.SetRegister(RegisterName.Cr0, 0x11);
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffffffff, new SegmentAccess(0xc09b)));
        Cpu.SetSegmentDescriptor(RegisterName.Ss, new SegmentDescriptor(0, 0xffffffff, new SegmentAccess(0xc093)));
        Cpu.SetSegmentDescriptor(RegisterName.Idtr, default);

        Run().Suspended.Should().Be(SuspendReason.TripleFault);
    }

    [Test]
    public void Handler_cannot_reset_the_VM_and_the_thread_that_runs_it_can()
    {
        // out 0x10, al; out End, al
        Load(0xe6, 0x10, 0xe6, End);
        FakePort port = new()
        {
            During = _ =>
            {
                Machine.Invoking(machine => machine.FreezeVcpus()).Should().Throw<InvalidOperationException>();
                Machine.Suspend(SuspendReason.Reset);
            },
        };
        using IDisposable attached = Machine.Ports.Attach(0x10, port);

        Run().Suspended.Should().Be(SuspendReason.Reset);

        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Reinitialize(freeze);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        port.Accesses.Should().ContainSingle();
    }

    [Test]
    public void Wiring_more_than_the_host_permits_is_EFAULT()
    {
        const ulong Most = 1ul << 30;
        ulong limit = MemoryLockLimit.Value;
        if (limit >= Most)
        {
            Assert.Ignore("the host lets everybody keep any amount of memory in");
        }

        ulong length = (limit + 0x1000) & ~0xffful;
        MemoryLockLimit.Without(() =>
        {
            using IVcpuFreeze freeze = Machine.FreezeVcpus();
            Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(2), length, true);
            Action map = () => Machine.MemoryMap.Map(
                freeze, new GuestMemoryMapping(new(0x200000), length, new SegmentId(2), 0, MemoryProtection.All, MapFlags.Wired));

            map.ShouldFail(VmmError.EFAULT).Message.Should().Contain("mlock");

            Machine.MemoryMap.IsAllocated(new(0x200000)).Should().BeFalse();
        });
    }

    [Test]
    public void Guest_starts_anew_after_a_reset_of_the_VM()
    {
        for (int i = 0; i < 3; i++)
        {
            // inc byte [0x3000]; hlt
            Load(0xfe, 0x06, 0x00, 0x30, 0xe6, End);
            Run().Port.Port.Should().Be(End);
            using IVcpuFreeze freeze = Machine.FreezeVcpus();
            Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }

        Read(0x3000, 1).Should().Equal(3);
    }
}
