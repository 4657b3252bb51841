// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.SecondChance;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Engine.SecondChance;

/// <summary>What a batch of the engine leaves of the vCPU's state, its accesses and its memory.</summary>
public sealed class BatchStateTests
{
    private const ulong Device = 0xd0000000;
    private const ulong SingleStep = 1 << 14;
    private const byte DebugVector = 1;

    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    [TearDown]
    public void DisposeGuest() => _guest?.Dispose();

    [Test]
    public void A_single_step_that_begins_in_a_batch_says_so_in_DR6([Values] bool carries)
    {
        const ulong EarlierReason = 1 << 13;
        _guest = CarriedGuest.Create(carries);
        CarriedGuest.Of(Guest).SetRegister(RegisterName.Dr6, 0xffff0ff0 | EarlierReason);
        Guest.Assemble(LongModeMachine.Handlers + (DebugVector * 16), a =>
        {
            a.mov(r14, dr6);
            LongModeMachine.End(a);
        });
        Guest.Assemble(a =>
        {
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.nop();
        });
        if (carries)
        {
            Guest.RunToEnd();
            Guest.Cpu.GetRegister(RegisterName.R14).Should().Be(0xffff0ff0 | EarlierReason | SingleStep);
        }
        else
        {
            // The backend delivers the exception.
            CarriedGuest.Of(Guest).Then((FakeVcpu vcpu, ref VmExit exit) =>
                exit.SetInstructionEmulation(default, vcpu.GetRegister(RegisterName.Rip)));
            CarriedGuest.Of(Guest).ThenPause();
            Guest.Run().Code.Should().Be(ExitCode.Pause);
        }

        Guest.Cpu.GetRegister(RegisterName.Dr6).Should().Be(0xffff0ff0 | EarlierReason | SingleStep);
    }

    [Test]
    public void General_detection_is_off_in_the_handler_of_a_single_step()
    {
        const ulong GeneralDetect = 1 << 13;
        _guest = CarriedGuest.Create();
        CarriedGuest.Of(Guest).SetRegister(RegisterName.Dr6, 0xffff0ff0);
        CarriedGuest.Of(Guest).SetRegister(RegisterName.Dr7, 0x400 | GeneralDetect);
        Guest.Assemble(LongModeMachine.Handlers + (DebugVector * 16), LongModeMachine.End);
        Guest.Assemble(a =>
        {
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.nop();
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Dr7).Should().Be(0x400);
    }

    [Test]
    public void The_frame_of_an_exception_at_the_end_of_a_batch_is_a_written_page()
    {
        const ulong Stack = 0x100000;
        _guest = CarriedGuest.Create(configure: options => options with { Flags = CreateFlags.TrackDirty });
        Register device = new(0) { During = vcpu => vcpu.RequestYield() };
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device), 0x1000), device);
        Guest.Assemble(a =>
        {
            a.mov(rbx, Device);
            a.div(__dword_ptr[rbx]);
        });
        Guest.Cpu.SetRegister(RegisterName.Rsp, Stack + 0x800);
        byte[] dirty = new byte[1];
        Guest.Machine.TrackDirtyPages(new(Stack), 0x1000, dirty);

        Guest.Run().Code.Should().Be(ExitCode.Bogus);

        Guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(LongModeMachine.Handlers, "the exception was delivered");
        dirty[0] = 0;
        Guest.Machine.TrackDirtyPages(new(Stack), 0x1000, dirty);
        dirty[0].Should().Be(1);
    }

    [Test]
    public void A_handlers_first_access_is_not_answered_with_that_of_the_instruction_that_faulted()
    {
        _guest = CarriedGuest.Create();
        Register device = new(0, 0x77);
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device), 0x1000), device);
        Guest.Assemble(LongModeMachine.Handlers, a =>
        {
            a.mov(r15d, __dword_ptr[rbx]);
            LongModeMachine.End(a);
        });
        Guest.Assemble(a =>
        {
            a.mov(rbx, Device);
            a.div(__dword_ptr[rbx]);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R15).Should().Be(0x77);
    }

    [Test]
    public void An_instruction_that_has_made_an_access_is_not_left_to_the_hypervisor()
    {
        _guest = CarriedGuest.Create(carries: false);
        Register source = new(1, 2);
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device), 0x1000), source);
        Guest.Assemble(a =>
        {
            a.mov(rsi, Device);
            a.mov(rdi, Device + 0x1000);
            a.movsd();
        });

        VmExit exit = Guest.Run();

        exit.Mmio.Should().Be(new MmioExit(new(Device + 0x1000), 4, false, 1));
        Guest.Run(VmEntry.FulfillMmio(exit.Mmio)).Code.Should().Be(ExitCode.Inout);
        source.Reads.Should().Be(1);
    }

    [Test]
    public void The_interrupt_shadow_of_what_the_hypervisor_executed_outlives_a_batch_that_executes_nothing([Values] bool isShadowed)
    {
        _guest = CarriedGuest.Create();
        FakeVcpu backend = CarriedGuest.Of(Guest);
        Guest.Assemble(LongModeMachine.Code, a =>
        {
            a.mov(edx, LongModeMachine.EndPort);
            if (isShadowed)
            {
                a.nop();
            }
            else
            {
                a.sti();
            }

            a.@out(dx, al);
        });
        Guest.RunToEnd();
        backend.Events.InterruptShadow.Should().Be(!isShadowed, "the batch before ended so");
        backend.Events = backend.Events with { InterruptShadow = isShadowed };

        Guest.Run(VmEntry.DiscardInstruction).Code.Should().Be(ExitCode.Inout, "the access waits before anything is executed");

        backend.Events.InterruptShadow.Should().Be(isShadowed);
    }

    [Test]
    public void An_answered_instruction_does_not_find_memory_that_was_unmapped_meanwhile()
    {
        _guest = CarriedGuest.Create();
        Guest.Assemble(a =>
        {
            a.mov(rbx, Device);
            a.mov(ecx, __dword_ptr[rbx]);
        });
        VmExit exit = Guest.Run();
        exit.Code.Should().Be(ExitCode.Mmio, exit.ToString());
        using (IVcpuFreeze freeze = Guest.Machine.FreezeVcpus())
        {
            Guest.Machine.MemoryMap.Unmap(freeze, default, LongModeMachine.MemoryLength);
            Guest.Machine.MemoryMap.FreeSegment(freeze, new SegmentId(0));
        }

        VmExit end = Guest.Run(VmEntry.FulfillMmio(exit.Mmio, 7));

        end.Code.Should().Be(ExitCode.InstructionEmulation, end.ToString());
        Guest.Cpu.Refusal.Should().Be(EmulationRefusal.NotInMemory);
    }

    [TestCase(7, 0, TestName = "PGE_of_CR4_is_set_in_a_batch")]
    [TestCase(20, 1, TestName = "SMEP_of_CR4_is_the_hypervisors_to_permit")]
    [TestCase(17, 1, TestName = "PCIDE_of_CR4_is_the_hypervisors_to_permit")]
    public void A_bit_of_CR4_that_processors_may_lack_is_the_hypervisors_to_permit(int bit, int entries)
    {
        _guest = CarriedGuest.Create();
        Guest.Assemble(a =>
        {
            a.mov(rax, cr4);
            a.bts(rax, (byte)bit);
            a.mov(cr4, rax);
        });
        ulong before = Guest.Cpu.GetRegister(RegisterName.Cr4);
        ulong behind = LongModeMachine.Code + 11;
        CarriedGuest.Of(Guest).Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.GetRegister(RegisterName.Cr4).Should().Be(before);
            vcpu.SetRegister(RegisterName.Rip, behind);
            exit.Set(ExitCode.Bogus, behind);
        });

        Guest.RunToEnd();

        CarriedGuest.Of(Guest).Entries.Should().Be(entries);
        Guest.Cpu.GetRegister(RegisterName.Cr4).Should().Be(entries == 0 ? before | (1ul << bit) : before);
    }

    /// <summary>A register that gives values in their order; the last one stays.</summary>
    private sealed class Register(params ulong[] values) : IMmioHandler
    {
        public int Reads { get; private set; }

        public Action<IVirtualCpu>? During { get; init; }

        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
        {
            During?.Invoke(vcpu);
            return values[Math.Min(Reads++, values.Length - 1)];
        }

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
        {
        }
    }
}
