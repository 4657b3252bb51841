// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm;
using Vmm.Tests.Kvm.Chips;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm;

/// <summary>
/// Kernel mode that the engine executes in batches, with the hypervisor for what it owns. On a host that executes guests on the processor
/// the same guests show the same without a batch.
/// </summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Userspace)]
[TestFixture(InterruptControllerMode.Split)]
[TestFixture(InterruptControllerMode.Kernel)]
public sealed class CarriedKernelTests(InterruptControllerMode mode)
{
    private const ulong Result = LongModeMachine.Data + 0x1000;
    private const byte Vector = 0x40;
    private const ulong TrapFlag = 1 << 8;

    private KvmBackend? _backend;
    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    private bool Interprets => _backend!.Description.InterpretsKernelMode;

    [SetUp]
    public void Create()
    {
        _backend = KvmRequirement.OpenBackend();
        _guest = new LongModeMachine(
            _backend, mode, chips: true, configure: options => options with { CarriesFromStart = true });
    }

    [TearDown]
    public void Destroy()
    {
        _guest?.Dispose();
        _backend?.Dispose();
    }

    [Test]
    public void Kernel_mode_is_executed_by_the_engine_from_the_start()
    {
        const int Rounds = 10_000;
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.xor(eax, eax);
            a.mov(ecx, Rounds);
            a.Label(ref again);
            a.add(rax, rcx);
            a.dec(ecx);
            a.jne(again);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(Rounds * (Rounds + 1) / 2);
        VcpuCounters counters = Guest.Cpu.Counters;
        counters.SecondChances.Should().Be(0);
        (counters.EmulatedInstructions >= 3 * Rounds).Should().Be(Interprets);
    }

    [Test]
    public void Without_a_failure_and_the_option_the_hypervisor_executes_kernel_mode()
    {
        Guest.Dispose();
        _backend = KvmRequirement.OpenBackend();
        _guest = new LongModeMachine(_backend, mode);
        Guest.Assemble(a => a.mov(eax, 1));

        Guest.RunToEnd();

        Guest.Cpu.Counters.EmulatedInstructions.Should().Be(0);
        Guest.Cpu.Counters.HypervisorSteps.Should().Be(0);
    }

    [Test]
    public void A_bit_of_CR4_has_the_effect_that_it_has_without_the_engine([Range(11, 24)] int bit)
    {
        VmExit carried = SetCr4(bit);
        Guest.Dispose();
        _backend = KvmRequirement.OpenBackend();
        _guest = new LongModeMachine(_backend, mode, secondChance: false);

        VmExit alone = SetCr4(bit);

        (carried.Code, carried.Code == ExitCode.Inout ? carried.Port : default)
            .Should().Be((alone.Code, alone.Code == ExitCode.Inout ? alone.Port : default));
    }

    [Test]
    public void What_the_hypervisor_owns_is_executed_between_batches()
    {
        const uint KernelGsBase = 0xc0000102;
        const uint LStar = 0xc0000082;
        const uint Pat = 0x277;
        Guest.Assemble(a =>
        {
            ChipGuest.WriteMsr(a, KernelGsBase, 0xffff_8000_0123_4567);
            a.swapgs();
            ChipGuest.WriteMsr(a, LStar, 0xffff_8000_7654_3210);
            ReadMsr(a, LStar, 0);
            ReadMsr(a, KernelGsBase, 8);
            ReadMsr(a, Pat, 16);
            a.rdtsc();
            Join(a, 24);
            a.xor(eax, eax);
            a.cpuid();
            a.mov(__dword_ptr[Result + 32], ebx);
            a.rdtsc();
            Join(a, 40);
            a.mov(rax, cr8);
            a.mov(__qword_ptr[Result + 48], rax);
            a.pushfq();
            a.pop(__qword_ptr[Result + 56]);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetSegmentDescriptor(RegisterName.Gs).Base.Should().Be(0xffff_8000_0123_4567);
        Guest.Read64(Result).Should().Be(0xffff_8000_7654_3210);
        Guest.Read64(Result + 8).Should().Be(0, "SWAPGS put the old base there");
        Guest.Read64(Result + 16).Should().Be(0x0007_0406_0007_0406);
        Guest.Read64(Result + 40).Should().BeGreaterThan(Guest.Read64(Result + 24));
        Guest.Read64(Result + 32).Should().NotBe(0);
        Guest.Read64(Result + 48).Should().Be(0);
        (Guest.Read64(Result + 56) & TrapFlag).Should().Be(0);
        (Guest.Cpu.Counters.HypervisorSteps > 0).Should().Be(Interprets);
    }

    [Test]
    public void Interrupts_reach_a_guest_that_never_leaves_a_batch()
    {
        const int Ticks = 5;
        HandleTicks();
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            StartTimer(a, 134_217);
            a.sti();
            a.Label(ref again);
            a.inc(r8);
            a.cmp(__qword_ptr[Result], Ticks);
            a.jb(again);
            a.cli();
        });

        Guest.RunToEnd();

        Guest.Read64(Result).Should().BeGreaterThanOrEqualTo(Ticks);
        Guest.Read64(Result + 8).Should().Be(0, "no frame has the flag by which a hypervisor steps");
    }

    [Test]
    public void An_interrupt_that_waits_is_taken_at_the_first_instruction_that_lets_it()
    {
        HandleTicks();
        Guest.Assemble(a =>
        {
            Label wait = a.CreateLabel();
            StartTimer(a, 134_217);
            a.mov(r9d, 300_000);
            a.Label(ref wait);
            a.dec(r9d);
            a.jne(wait);
            a.mov(rbx, __qword_ptr[Result]);
            a.sti();
            a.nop();
            a.nop();
            a.mov(r12, __qword_ptr[Result]);
            a.cli();
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rbx).Should().Be(0, "interrupts were disabled");
        if (mode == InterruptControllerMode.Userspace)
        {
            Guest.Cpu.GetRegister(RegisterName.R12).Should().BePositive("the engine has the interrupt, and sees the window open");
        }
    }

    [Test]
    public void HLT_waits_for_an_interrupt_and_the_guest_goes_on_behind_it()
    {
        const int Ticks = 3;
        HandleTicks();
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            StartTimer(a, 134_217);
            a.Label(ref again);
            a.inc(r8);
            a.sti();
            a.hlt();
            a.cli();
            a.cmp(__qword_ptr[Result], Ticks);
            a.jb(again);
        });

        Guest.RunToEnd();

        Guest.Read64(Result).Should().BeGreaterThanOrEqualTo(Ticks);
        Guest.Cpu.GetRegister(RegisterName.R8).Should().BeInRange(1, Guest.Read64(Result), "each HLT ends with an interrupt");
        Guest.Read64(Result + 8).Should().Be(0);
    }

    [Test]
    public void Exceptions_in_a_batch_reach_their_handlers()
    {
        Guest.Assemble(LongModeMachine.Handlers + (6 * 16), a =>
        {
            a.inc(r12);
            a.add(__qword_ptr[rsp], 2);
            a.iretq();
        });
        Guest.Assemble(a =>
        {
            a.xor(r12d, r12d);
            a.ud2();
            a.ud2();
            a.popcnt(rax, r12);
            a.ud2();
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R12).Should().Be(3);
    }

    [Test]
    public void An_exception_that_cannot_be_delivered_shuts_the_machine_down()
    {
        Guest.Assemble(a =>
        {
            a.push(0);
            a.push(0);
            a.lidt(__[rsp]);
            a.ud2();
        });

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Suspended);
        Guest.Machine.SuspendReason.Should().Be(SuspendReason.TripleFault);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_breakpoint_of_the_guest_is_met(bool isCarried)
    {
        Guest.Dispose();
        _backend = KvmRequirement.OpenBackend();
        _guest = new LongModeMachine(_backend, mode, configure: options => options with { CarriesFromStart = isCarried });
        Guest.Assemble(LongModeMachine.Handlers + 16, a =>
        {
            a.jmp(LongModeMachine.Code + 0x800);
        });
        Guest.Assemble(LongModeMachine.Code + 0x800, a =>
        {
            a.inc(r12);
            a.mov(r13, r8);
            a.xor(eax, eax);
            a.mov(dr7, rax);
            a.iretq();
        });
        Guest.Assemble(LongModeMachine.Code, a =>
        {
            a.xor(r12d, r12d);
            a.xor(r8d, r8d);
            a.mov(rax, LongModeMachine.Code + 0x100);
            a.mov(dr0, rax);
            a.mov(eax, 0x401);
            a.mov(dr7, rax);
            a.jmp(LongModeMachine.Code + 0xf0);
        });
        Guest.Assemble(LongModeMachine.Code + 0xf0, a =>
        {
            a.popcnt(rax, rax);
            a.mov(r8d, 1);
            while (a.Instructions.Count < 8)
            {
                a.nop();
            }
        });
        Guest.Write(LongModeMachine.Code + 0xfb, 0x90, 0x90, 0x90, 0x90, 0x90);
        Guest.Assemble(LongModeMachine.Code + 0x100, a =>
        {
            a.mov(r8d, 2);
            LongModeMachine.End(a);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R12).Should().Be(1, "the breakpoint was met once");
        Guest.Cpu.GetRegister(RegisterName.R13).Should().Be(1, "in front of its instruction");
        Guest.Cpu.GetRegister(RegisterName.R8).Should().Be(2);
    }

    [Test]
    public void Timer_of_a_period_shorter_than_an_interrupt_takes_leaves_the_guest_time([Values(1000u, 100u)] uint count)
    {
        const int Rounds = 200_000;
        HandleTicks();
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            StartTimer(a, count);
            a.mov(ecx, Rounds);
            a.sti();
            a.Label(ref again);
            a.dec(ecx);
            a.jnz(again);
            a.cli();
        });

        Background.Start(Guest.RunToEnd).Join();

        Guest.Read64(Result).Should().BePositive();
    }

    private static void ReadMsr(Assembler a, uint index, ulong at)
    {
        a.mov(ecx, index);
        a.rdmsr();
        Join(a, at);
    }

    private static void Join(Assembler a, ulong at)
    {
        a.shl(rdx, 32);
        a.or(rax, rdx);
        a.mov(__qword_ptr[Result + at], rax);
    }

    private static void StartTimer(Assembler a, uint count)
    {
        const uint Periodic = 1 << 17;
        ChipGuest.EnableLocalApic(a);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.Divide, 0xb);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, Periodic | Vector);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.InitialCount, count);
    }

    [TestCase(7u, 0u, 2, 1u << 16, TestName = "AVX512F")]
    [TestCase(7u, 0u, 3, 1u << 8, TestName = "GFNI")]
    [TestCase(0xDu, 0u, 1, 0xE0u, TestName = "States_of_AVX512")]
    public void Cpuid_shows_carried_kernel_mode_no_feature_that_nobody_executes(uint leaf, uint subleaf, int register, uint bits)
    {
        Guest.Assemble(a =>
        {
            a.mov(eax, leaf);
            a.mov(ecx, subleaf);
            a.cpuid();
            a.mov(__dword_ptr[Result + 4], eax);
            a.mov(__dword_ptr[Result + 8], ebx);
            a.mov(__dword_ptr[Result + 12], ecx);
            a.mov(eax, 1);
            a.cpuid();
            a.mov(__dword_ptr[Result + 16], edx);
        });

        Guest.RunToEnd();

        uint shown = (uint)(Guest.Read64(Result + ((ulong)register * 4)) & bits);
        const uint Sse2 = 1 << 26;
        (Guest.Read64(Result + 16) & Sse2).Should().NotBe(0, "other features stay");
        if (!Interprets)
        {
            Assert.Ignore("This host executes guests on the processor; CPUID is what it says.");
        }

        shown.Should().Be(0);
    }

    /// <summary>A handler that counts and keeps the trap flag of the frames it sees. It begins with what KVM's emulator lacks.</summary>
    private VmExit SetCr4(int bit)
    {
        Guest.Assemble(a =>
        {
            a.mov(rax, cr4);
            a.bts(rax, (byte)bit);
            a.mov(cr4, rax);
        });
        return Guest.Run();
    }

    private void HandleTicks()
    {
        const ulong Routine = 0x60000;
        Guest.Assemble(Routine, a =>
        {
            a.clac();
            a.push(rax);
            a.mov(rax, __qword_ptr[rsp + 24]);
            a.and(eax, (int)TrapFlag);
            a.or(__qword_ptr[Result + 8], rax);
            a.inc(__qword_ptr[Result]);
            ChipGuest.EndOfInterrupt(a);
            a.pop(rax);
            a.iretq();
        });
        Guest.Assemble(LongModeMachine.Handlers + (Vector * 16ul), a => a.jmp(Routine));
        Guest.Assemble(LongModeMachine.Handlers + 16, a =>
        {
            a.@int(6);
        });
    }
}
