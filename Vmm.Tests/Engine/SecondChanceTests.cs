// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.SecondChance;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>A backend that gives up on instructions; the code is real mode with all segment bases zero.</summary>
public sealed class SecondChanceTests : EngineFixture
{
    private const ulong Code = 0x1000;
    private const ulong Device = 0x9000;

    [SetUp]
    public void LetAccessesComeOut() => Use(ExitOptions);

    [Test]
    public void The_instruction_is_executed_and_theGuest_goes_on()
    {
        // mov word [0x2000], 0x1234; mov ax, 0x55
        Load(0xc7, 0x06, 0x00, 0x20, 0x34, 0x12, 0xb8, 0x55, 0x00);
        ThenFailure();
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Read(0x2000, 2).Should().Equal(0x34, 0x12);
        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x55);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 9);
        Cpu.Counters.SecondChances.Should().Be(2);
        Cpu.Counters.EmulatedInstructions.Should().Be(2);
        Machine.SecondChancesByInstruction.Should().ContainSingle().Which.Should().Be(new KeyValuePair<string, long>("Mov", 2));
        Guest.MemoryWrittenCalls.Should().Be(1, "only the first one wrote memory");
        Guest.ForgetTranslationsCalls.Should().Be(0);
    }

    [Test]
    public void A_change_of_paging_makes_the_backend_forget_translations()
    {
        // mov cr3, eax
        Load(0x0f, 0x22, 0xd8);
        Cpu.SetRegister(RegisterName.Rax, 0x3000);
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Cr3).Should().Be(0x3000);
        Guest.ForgetTranslationsCalls.Should().Be(1);
    }

    [Test]
    public void Switched_off_the_failure_comes_out()
    {
        Use(ExitOptions with { SecondChance = false });
        Load(0x90);
        ThenFailure();

        Run().Code.Should().Be(ExitCode.InstructionEmulation);

        Cpu.Refusal.Should().Be(EmulationRefusal.SwitchedOff);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code);
    }

    [Test]
    public void An_input_that_nobody_claims_waits_for_the_caller()
    {
        // in al, 0x60
        Load(0xe4, 0x60);
        Cpu.SetRegister(RegisterName.Rax, 0x1122334455667788);
        ThenFailure().ThenPause();
        VmExit exit = Run();
        exit.Port.Should().Be(new PortExit(0x60, 1, PortFlags.In, 1, 0));
        exit.Rip.Should().Be(Code);
        Cpu.Pending.Should().Be(PendingOperation.Exit);
        ((Action)(() => Cpu.CompletePending())).Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
        Action wrong = () => Run(VmEntry.FulfillPort(exit.Port with { Port = 0x61 }));
        wrong.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);

        Run(VmEntry.FulfillPort(exit.Port, 0xab)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x11223344556677ab);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 2);
        Cpu.Counters.SecondChances.Should().Be(1, "the second execution of one instruction is not a second one");
    }

    [Test]
    public void A_discarded_input_leaves_no_trace()
    {
        // in al, 0x60
        Load(0xe4, 0x60);
        Cpu.SetRegister(RegisterName.Rax, 0x77);
        ThenFailure().ThenPause();
        Run().Code.Should().Be(ExitCode.Inout);
        Cpu.SetRegister(RegisterName.Rip, Code + 2);

        Run(VmEntry.DiscardInstruction).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x77);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 2);
        Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void A_register_written_while_the_instruction_waits_takes_effect_behind_it()
    {
        // movzx eax, byte [0x9000]
        Load(0x66, 0x0f, 0xb6, 0x06, 0x00, 0x90);
        ThenFailure().ThenPause();
        VmExit exit = Run();
        Cpu.SetRegister(RegisterName.Rsi, 0x4444);

        Run(VmEntry.FulfillMmio(exit.Mmio, 0x5a)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x5a);
        Cpu.GetRegister(RegisterName.Rsi).Should().Be(0x4444);
    }

    [Test]
    public void A_device_sees_each_access_once_though_the_instruction_is_executed_again()
    {
        // movsb: from a device of the engine to one that only the caller knows
        FakeMmio source = new() { Value = 0xc3 };
        Machine.Mmio.Attach(GuestPhysicalRange.Create(At(Device), 0x10), source);
        Load(0xa4);
        Cpu.SetRegister(RegisterName.Rsi, Device);
        Cpu.SetRegister(RegisterName.Rdi, Device + 0x100);
        ThenFailure().ThenPause();

        VmExit exit = Run();

        exit.Mmio.Should().Be(new MmioExit(At(Device + 0x100), 1, false, 0xc3));
        Cpu.GetRegister(RegisterName.Rsi).Should().Be(Device, "nothing has happened yet");
        Run(VmEntry.FulfillMmio(exit.Mmio)).Code.Should().Be(ExitCode.Pause);
        source.Accesses.Should().Equal((true, 0ul, 1, 0xc3ul));
        Cpu.GetRegister(RegisterName.Rsi).Should().Be(Device + 1);
        Cpu.GetRegister(RegisterName.Rdi).Should().Be(Device + 0x101);
    }

    [Test]
    public void Each_element_of_a_repeated_instruction_waits_by_itself()
    {
        // rep outsb
        Load(0xf3, 0x6e);
        Write(0x2000, 1, 2, 3);
        Cpu.SetRegister(RegisterName.Rsi, 0x2000);
        Cpu.SetRegister(RegisterName.Rcx, 3);
        Cpu.SetRegister(RegisterName.Rdx, 0x80);
        ThenFailure().ThenPause();
        VmExit exit = Run();
        for (uint value = 1; value <= 3; value++)
        {
            exit.Port.Should().Be(new PortExit(0x80, 1, PortFlags.None, 1, value));
            Cpu.GetRegister(RegisterName.Rcx).Should().Be(4 - value);
            exit = Run(VmEntry.FulfillPort(exit.Port));
        }

        exit.Code.Should().Be(ExitCode.Pause);
        Cpu.GetRegister(RegisterName.Rcx).Should().Be(0);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 2);
    }

    [Test]
    public void An_exception_goes_to_the_backend()
    {
        // div cl, with zero in CL
        Load(0xf6, 0xf1);
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Guest.Delivered.Should().Equal(EventInformation.Create(EventType.HardwareException, 0));
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code, "a fault lies in front of its instruction");
        Cpu.Counters.Exceptions.Should().Be(1);
    }

    [Test]
    public void An_event_whose_delivery_was_cut_short_goes_first()
    {
        // nop, and in the vector table 0x20: 0000:1800
        Load(0x90);
        Write(0x20 * 4, 0x00, 0x18, 0x00, 0x00);
        Cpu.SetRegister(RegisterName.Rflags, 0x202);
        Guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.CutDelivery(EventInformation.Create(EventType.HardwareInterrupt, 0x20));
            exit.SetInstructionEmulation(new InstructionEmulationExit([0x90], 1, 1), Code);
        });
        Guest.ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Guest.Delivered.Should().BeEmpty("the engine delivered it");
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0x1800);
        Read(Cpu.GetRegister(RegisterName.Rsp), 2).Should().Equal(0x00, 0x10);
    }

    [Test]
    public void The_interrupt_shadow_follows_what_was_executed()
    {
        // sti; nop
        Load(0xfb, 0x90);
        List<bool> shadows = [];
        FakeStep look = (FakeVcpu vcpu, ref VmExit exit) =>
        {
            shadows.Add(vcpu.Events.InterruptShadow);
            exit.SetInstructionEmulation(new InstructionEmulationExit([], 1, 0), 0);
        };
        ThenFailure().Then(look).Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            shadows.Add(vcpu.Events.InterruptShadow);
            exit.Set(ExitCode.Pause, 0);
        });

        Run().Code.Should().Be(ExitCode.Pause);

        shadows.Should().Equal(true, false);
    }

    [Test]
    public void An_IRET_ends_the_blocking_of_NMIs()
    {
        // iret to 0000:1900
        Load(0xcf);
        Write(0x7000, 0x00, 0x19, 0x00, 0x00, 0x02, 0x00);
        Cpu.SetRegister(RegisterName.Rsp, 0x7000);
        Guest.Events = Guest.Events with { NmiBlocked = true };
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Guest.Events.NmiBlocked.Should().BeFalse();
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0x1900);
    }

    [Test]
    public void Where_kernel_mode_is_interpreted_a_batch_goes_on_up_to_what_the_hypervisor_owns()
    {
        Interpret();
        // inc ax (five times); hlt
        Load(0x40, 0x40, 0x40, 0x40, 0x40, 0xf4);
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(5);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 5, "HLT is the hypervisor's");
        Cpu.Counters.SecondChances.Should().Be(1);
        Cpu.Counters.EmulatedInstructions.Should().Be(5);
    }

    [Test]
    public void A_batch_leaves_to_the_hypervisor_what_no_device_of_the_engine_claims()
    {
        Interpret();
        // inc ax; out 0x80, al; inc ax; out 0x81, al
        Load(0x40, 0xe6, 0x80, 0x40, 0xe6, 0x81);
        FakePort port = new();
        Machine.Ports.Attach(0x80, port);
        ThenFailure().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, (ushort)0x80, 1, 1u));
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 4);
    }

    [Test]
    public void A_batch_ends_when_somebody_wants_the_vCPU()
    {
        Interpret();
        // jmp to itself
        Load(0xeb, 0xfe);
        Machine.BatchLimit = long.MaxValue;
        ThenFailure();
        Background run = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => Cpu.Counters.Exits == 1);

        Cpu.RequestYield();

        run.Join();
    }

    [Test]
    public void A_chip_inside_the_hypervisor_is_refused_by_name()
    {
        Use(ExitOptions with { InterruptControllerMode = InterruptControllerMode.Kernel });
        // in al, 0x20
        Load(0xe4, 0x20);
        ThenFailure();

        Run().Code.Should().Be(ExitCode.InstructionEmulation);

        Cpu.Refusal.Should().Be(EmulationRefusal.OwnedByHypervisor);
        Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void Code_outside_of_memory_is_refused_by_name()
    {
        Load(0x90);
        Cpu.SetRegister(RegisterName.Rip, 0xf000);
        ThenFailure();

        Run().Code.Should().Be(ExitCode.InstructionEmulation);

        Cpu.Refusal.Should().Be(EmulationRefusal.NotInMemory);
    }

    [Test]
    public void A_write_to_read_only_memory_is_dropped_and_reported()
    {
        Load(0xc6, 0x06, 0x00, 0xa0, 0x99);
        Map(0xa000, Page, segment: 1, MemoryProtection.Read, isRam: false);
        ThenFailure().ThenPause();

        VmExit exit = Run();

        exit.Code.Should().Be(ExitCode.Paging);
        exit.Paging.Address.Should().Be(At(0xa000));
        Read(0xa000, 1).Should().Equal(0);
        Run().Code.Should().Be(ExitCode.Pause);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 5);
    }

    [Test]
    public void A_single_step_ends_behind_the_instruction()
    {
        Load(0x90, 0x90);
        Guest.Offer(VcpuCapability.MonitorTrapExit);
        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        ThenFailure();

        Run().Code.Should().Be(ExitCode.MonitorTrap);

        Cpu.GetRegister(RegisterName.Rip).Should().Be(Code + 1);
    }

    [TestCase(Device, true)]
    [TestCase(null, true)]
    [TestCase(Device + 4, false)]
    public void An_access_that_the_backend_does_not_decode_is_executed_if_the_operand_is_there(ulong? linear, bool executed)
    {
        // mov ax, [0x9000], with a ModRM byte
        FakeMmio device = new() { Value = 0x4321 };
        Machine.Mmio.Attach(GuestPhysicalRange.Create(At(Device), 0x10), device);
        Load(0x8b, 0x06, 0x00, 0x90);
        Guest.Then((FakeVcpu vcpu, ref VmExit exit) => exit.SetMmioEmulation(
            new MmioEmulationExit(At(Device), linear is { } address ? new GuestLinearAddress(address) : null), Code));
        Guest.ThenPause();

        VmExit exit = Run();

        exit.Code.Should().Be(executed ? ExitCode.Pause : ExitCode.InstructionEmulation);
        if (executed)
        {
            Cpu.GetRegister(RegisterName.Rax).Should().Be(0x4321);
            Cpu.Counters.SecondChances.Should().Be(0, "the backend did not give up");
        }
        else
        {
            exit.InstructionEmulation.Bytes[..4].ToArray().Should().Equal(0x8b, 0x06, 0x00, 0x90);
            Cpu.Refusal.Should().Be(EmulationRefusal.OperandElsewhere);
            device.Accesses.Should().BeEmpty();
        }
    }

    [Test]
    public void Nothing_is_allocated_for_a_second_chance()
    {
        // inc ax; jmp back
        Load(0x40, 0xeb, 0xfd);
        int left = 0;
        Guest.WhenEmpty = (FakeVcpu vcpu, ref VmExit exit) =>
        {
            if (--left > 0)
            {
                exit.SetInstructionEmulation(new InstructionEmulationExit([0x40], 1, 1), 0);
            }
            else
            {
                exit.Set(ExitCode.Pause, 0);
            }
        };
        RunSome(2000);
        Guest.Writes.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();

        RunSome(1000);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        void RunSome(int count)
        {
            left = count;
            Cpu.Run(VmEntry.Default);
        }
    }

    private void Interpret()
    {
        Backend.Dispose();
        Backend = new FakeBackend
        {
            Description = new("fake", HostVirtualization.Unknown, MaxCpus: 256, CpuidFixedAfterRun: true)
            {
                InterpretsKernelMode = true,
            },
        };
        Use(ExitOptions);
    }

    private static VirtualMachineOptions ExitOptions => Options() with { UnclaimedAccess = UnclaimedAccess.Exit };

    /// <summary>Puts the vCPU in front of code: 32 KiB of RAM, accesses that nobody claims come out.</summary>
    private void Load(params byte[] code)
    {
        Map(0, 8 * Page);
        Start();
        Cpu.Reset(initOnly: false);
        Cpu.SetRegister(RegisterName.Cs, 0);
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        Cpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rsp = 0x7000, Rflags = 2 };
        Write(Code, code);
    }

    /// <summary>The backend gives up at the present instruction.</summary>
    private FakeVcpu ThenFailure() => Guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        exit.SetInstructionEmulation(
            new InstructionEmulationExit([0x0f, 0x0b], 1, 1), vcpu.GetRegister(RegisterName.Rip)));

    private void Write(ulong address, params byte[] bytes) => Machine.Memory.TryWrite(At(address), bytes).Should().BeTrue();

    private byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Machine.Memory.TryRead(At(address), bytes).Should().BeTrue();
        return bytes;
    }

    [Test]
    public void Events_that_wait_come_after_a_fault_of_the_one_that_the_engine_delivers()
    {
        Load(0x90);
        EventInformation interrupt = EventInformation.Create(EventType.HardwareInterrupt, 0x31);
        EventInformation waiting = EventInformation.Create(EventType.HardwareInterrupt, 0x30);
        EventInformation fault = EventInformation.Create(EventType.HardwareException, 13);
        Cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(0, 3, default));
        Guest.CutDelivery(interrupt);
        Cpu.SetExitEvent(waiting);
        Cpu.Inject(GuestException.InvalidOpcode());
        Guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.CutDelivery(interrupt);
            exit.SetInstructionEmulation(new InstructionEmulationExit([0x90], 1, 1), Code);
        });
        Guest.ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Guest.Delivered.Should().Equal(
            interrupt, fault, EventInformation.Create(EventType.HardwareException, 6), interrupt, waiting);
    }
}
