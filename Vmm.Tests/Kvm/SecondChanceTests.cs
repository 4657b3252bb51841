// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Engine.SecondChance;
using Vmm.Kvm;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm;

/// <summary>
/// Guests at CPL 0 with instructions that KVM's emulator lacks. A host that executes them itself gives the same results without a
/// second chance; one that interprets kernel mode shows how many there were.
/// </summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Userspace)]
[TestFixture(InterruptControllerMode.Split)]
[TestFixture(InterruptControllerMode.Kernel)]
public sealed class SecondChanceTests(InterruptControllerMode mode)
{
    private const ulong Mmio = 0xd0000000;
    private const ulong Result = LongModeMachine.Data;

    private KvmBackend? _backend;
    private LongModeMachine? _guest;

    private bool Interprets => _backend!.Description.InterpretsKernelMode;

    private LongModeMachine Guest => _guest!;

    [SetUp]
    public void Create() => _guest = Create(1);

    [TearDown]
    public void Destroy()
    {
        _guest?.Dispose();
        _backend?.Dispose();
    }

    [TestCase(1, 8)]
    [TestCase(4096, 1)]
    public void Instructions_that_KVM_lacks_are_executed(int batch, int chances)
    {
        Guest.Machine.BatchLimit = batch;
        Guest.Write64(Result + 0x100, 5);
        Guest.Write64(Result + 0x108, 6);
        Guest.Assemble(LongModeMachine.Handlers + (3 * 16), a =>
        {
            a.inc(r12);
            a.iretq();
        });
        Guest.Assemble(a =>
        {
            a.xor(r12d, r12d);
            a.mov(rbx, 0xff00ff00ff00ff01ul);
            a.popcnt(rax, rbx);
            a.mov(__qword_ptr[Result], rax);
            a.int3();
            a.stac();
            a.pushfq();
            a.pop(r13);
            a.clac();
            a.pushfq();
            a.pop(r14);
            a.mov(ecx, 0x0ff0);
            a.pdep(rax, rbx, rcx);
            a.mov(__qword_ptr[Result + 8], rax);
            a.andn(rax, rcx, rbx);
            a.mov(__qword_ptr[Result + 16], rax);
            a.mov(eax, 5);
            a.mov(edx, 6);
            a.mov(ebx, 7);
            a.mov(ecx, 8);
            a.@lock.cmpxchg16b(__xmmword_ptr[Result + 0x100]);
            a.sete(__byte_ptr[Result + 24]);
            a.movq(xmm3, rcx);
            a.movups(__xmmword_ptr[Result + 0x200], xmm3);
            a.vmovups(ymm4, __ymmword_ptr[Result + 0x100]);
            a.vmovups(__ymmword_ptr[Result + 0x240], ymm4);
        });

        // stac needs nothing of CR4; the flags say what it did.
        Guest.RunToEnd();

        Guest.Read64(Result).Should().Be((ulong)BitOperations.PopCount(0xff00ff00ff00ff01));
        Guest.Cpu.GetRegister(RegisterName.R12).Should().Be(1, "INT3 reached its handler once");
        (Guest.Cpu.GetRegister(RegisterName.R13) & (1 << 18)).Should().NotBe(0);
        (Guest.Cpu.GetRegister(RegisterName.R14) & (1 << 18)).Should().Be(0);
        Guest.Read64(Result + 8).Should().Be(0x010);
        Guest.Read64(Result + 16).Should().Be(0xff00ff00ff00f001);
        Guest.Read64(Result + 24).Should().Be(1);
        Guest.Read64(Result + 0x100).Should().Be(7);
        Guest.Read64(Result + 0x108).Should().Be(8);
        Guest.Read64(Result + 0x200).Should().Be(8);
        Guest.Read(Result + 0x240, 16).Should().Equal(Guest.Read(Result + 0x100, 16));
        ShowChances(chances);
    }

    [TestCase(1, 18)]
    [TestCase(4096, 1)]
    public void XSAVE_and_XRSTOR_carry_every_component(int batch, int chances)
    {
        Guest.Machine.BatchLimit = batch;
        Guest.Assemble(a =>
        {
            Label fill = a.CreateLabel();
            a.mov(rdi, Result);
            a.mov(ecx, 64);
            a.mov(rax, 0x0123456789abcdeful);
            a.Label(ref fill);
            a.mov(__qword_ptr[rdi], rax);
            a.ror(rax, 7);
            a.add(rdi, 8);
            a.dec(ecx);
            a.jne(fill);
            for (int i = 0; i < 8; i++)
            {
                a.vmovups(new AssemblerRegisterYMM(Register.YMM0 + i), __ymmword_ptr[Result + ((ulong)i * 32)]);
            }

            a.mov(eax, 7);
            a.xor(edx, edx);
            a.xsave(__[Result + 0x1000]);
            a.vzeroall();
            a.fninit();
            a.xrstor(__[Result + 0x1000]);
            for (int i = 0; i < 8; i++)
            {
                a.vmovups(__ymmword_ptr[Result + 0x400 + ((ulong)i * 32)], new AssemblerRegisterYMM(Register.YMM0 + i));
            }
        });

        Guest.RunToEnd();

        byte[] pattern = Guest.Read(Result, 256);
        pattern.Should().Contain(b => b != 0);
        Guest.Read(Result + 0x400, 256).Should().Equal(pattern);
        Guest.Read(Result + 0x1000 + 160, 16).Should().Equal(pattern[..16], "XMM0 lies at 160 of the area");
        Guest.Read(Result + 0x1000 + 576, 16).Should().Equal(pattern[16..32], "the upper half of YMM0 lies at 576");
        ShowChances(chances);
    }

    [Test]
    public void An_exception_of_the_instruction_reaches_its_handler_with_CR2_and_error_code()
    {
        // The page of the operand is not present until the handler makes it so.
        ulong entry = LongModeMachine.FirstPageTable + ((Result >> 12) * 8);
        ulong present = Guest.Read64(entry);
        Guest.Write64(entry, 0);
        Guest.Write64(0x60000, present);
        Guest.Assemble(LongModeMachine.Handlers + (14 * 16), a => a.jmp(LongModeMachine.Code + 0x800));
        Guest.Assemble(LongModeMachine.Code + 0x800, a =>
        {
            a.pop(r15);
            a.mov(r14, cr2);
            a.mov(rax, __qword_ptr[0x60000]);
            a.mov(__qword_ptr[entry], rax);
            a.invlpg(__[Result]);
            a.iretq();
        });
        Guest.Assemble(a =>
        {
            a.mov(rbx, Result + 0x10);
            a.popcnt(rcx, __qword_ptr[rbx]);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R14).Should().Be(Result + 0x10);
        Guest.Cpu.GetRegister(RegisterName.R15).Should().Be(0, "a read of a page that is not present, by the supervisor");
        ShowChances(atLeast: 1);
    }

    [Test]
    public void The_guests_own_breakpoint_on_data_is_met_by_it()
    {
        const ulong DebugVector = 1;
        Guest.Assemble(LongModeMachine.Handlers + (DebugVector * 16), a =>
        {
            a.mov(r14, dr6);
            a.mov(r15, __[rsp]);
            a.iretq();
        });
        Guest.Cpu.SetRegister(RegisterName.Dr0, (ulong)Result);
        Guest.Cpu.SetRegister(RegisterName.Dr7, 0xd0402);
        ulong behind = LongModeMachine.Code + 10;
        Guest.Assemble(a =>
        {
            a.mov(ebx, (int)Result);
            a.@lock.cmpxchg16b(__[rbx]);
            a.nop();
        });

        Guest.RunToEnd();

        (Guest.Cpu.GetRegister(RegisterName.R14) & 0xf).Should().Be(1);
        Guest.Cpu.GetRegister(RegisterName.R15).Should().Be(behind);
    }

    [Test]
    public void A_single_step_that_begins_behind_a_second_chance_says_so_in_DR6()
    {
        const ulong DebugVector = 1;
        Guest.Assemble(LongModeMachine.Handlers + (DebugVector * 16), a => a.jmp(LongModeMachine.Code + 0x800));
        Guest.Assemble(LongModeMachine.Code + 0x800, a =>
        {
            a.mov(r14, dr6);
            a.inc(r13);
            a.and(__dword_ptr[rsp + 16], ~0x100);
            a.iretq();
        });
        Guest.Assemble(a =>
        {
            a.xor(r13d, r13d);
            a.popcnt(rax, rbx);
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.nop();
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R13).Should().Be(1);
        (Guest.Cpu.GetRegister(RegisterName.R14) & 0x600f).Should().Be(0x4000);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_32_bit_guest_may_have_descriptors_of_64_bit_code(bool is64Bit)
    {
        const ulong Code = 0x3e00;
        const ulong Handler = 0x3f00;
        ulong descriptor = is64Bit ? 0x00af9b000000fffful : 0x008f9b000000ffff;
        Guest.Cpu.SetRegister(RegisterName.Cr0, 0x11);
        Guest.Cpu.SetRegister(RegisterName.Efer, 0);
        Guest.Cpu.SetRegister(RegisterName.Cs, 0x40);
        Guest.Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc09b)));
        Guest.Write64(0x1010, descriptor);
        Guest.Write64(0x1038, descriptor);
        Guest.Write64(0x1040, 0x00cf9b000000ffff);
        Guest.Write64(0x3000 + (3 * 8), Handler | (0x38ul << 16) | (0xee00ul << 32));

        // jmp far 0x10:Code, where the default is 16 bits: int3, whose handler has mov dx, EndPort; out dx, al
        Guest.Write(LongModeMachine.Code, 0xea, unchecked((byte)Code), (byte)(Code >> 8), 0, 0, 0x10, 0);
        Guest.Write(Code, 0xcc);
        Guest.Write(Handler, 0xba, LongModeMachine.EndPort & 0xff, LongModeMachine.EndPort >> 8, 0xee);

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rip).Should().BeInRange(Handler, Handler + 4);
        ShowChances(atLeast: 1);
    }

    [Test]
    public void An_operand_in_a_device_of_the_engine_is_accessed_once()
    {
        FakeMmio device = new() { Value = 0xf0f0 };
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Mmio), 0x1000), device);
        Guest.Assemble(a =>
        {
            a.mov(rbx, Mmio);
            a.popcnt(rcx, __qword_ptr[rbx + 8]);
            a.movq(xmm1, rcx);
            a.movq(__qword_ptr[rbx + 0x10], xmm1);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rcx).Should().Be(8);
        device.Accesses.Should().Equal((true, 8ul, 8, 0xf0f0ul), (false, 0x10ul, 8, 8ul));
    }

    [Test]
    public void An_operand_that_only_the_caller_can_serve_comes_out_and_is_fulfilled()
    {
        Guest.Assemble(a =>
        {
            a.mov(rbx, Mmio);
            a.popcnt(rcx, __qword_ptr[rbx]);
        });

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Mmio, exit.ToString());
        exit.Mmio.Address.Value.Should().Be(Mmio);
        exit.Mmio.Bytes.Should().Be(8);
        exit.Mmio.IsRead.Should().BeTrue();
        Guest.Cpu.Pending.Should().Be(PendingOperation.Exit);
        Guest.Run().Mmio.Should().Be(exit.Mmio, "it is reported until it is answered");
        VmExit end = Guest.Run(VmEntry.FulfillMmio(exit.Mmio, 0x7));
        end.Code.Should().Be(ExitCode.Inout, end.ToString());
        Guest.Cpu.GetRegister(RegisterName.Rcx).Should().Be(3);
    }

    [Test]
    public void An_answered_operand_retires_without_the_next_instruction_and_keeps_registers_written_meanwhile()
    {
        Guest.Assemble(a =>
        {
            a.mov(rbx, Mmio);
            a.popcnt(rcx, __qword_ptr[rbx]);
            a.nop();
        });
        VmExit exit = Guest.Run();
        ulong rip = exit.Rip;
        Guest.Cpu.SetRegister(RegisterName.R9, 0x99);
        using IDisposable block = Guest.Cpu.BlockRun();
        Guest.Run(VmEntry.FulfillMmio(exit.Mmio, 0xff)).Code.Should().Be(ExitCode.RequestIdle);

        Guest.Cpu.CompletePending().Should().BeTrue();

        Guest.Cpu.Pending.Should().Be(PendingOperation.None);
        Guest.Cpu.GetRegister(RegisterName.Rcx).Should().Be(8);
        Guest.Cpu.GetRegister(RegisterName.R9).Should().Be(0x99);
        Guest.Cpu.GetRegister(RegisterName.Rip).Should().BeGreaterThan(rip);
    }

    [Test]
    public void A_write_to_read_only_memory_is_dropped_and_reported()
    {
        using (IVcpuFreeze freeze = Guest.Machine.FreezeVcpus())
        {
            Guest.Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(1), 0x1000, false);
            Guest.Machine.MemoryMap.Map(
                freeze,
                new GuestMemoryMapping(
                    new(Mmio), 0x1000, new SegmentId(1), 0, MemoryProtection.Read | MemoryProtection.Execute, MapFlags.None));
        }

        Guest.Assemble(a =>
        {
            a.mov(rbx, Mmio);
            a.mov(eax, 1);
            a.movd(xmm0, eax);
            a.movq(__qword_ptr[rbx], xmm0);
        });

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Paging, exit.ToString());
        exit.Paging.Address.Value.Should().Be(Mmio);
        Guest.RunToEnd();
        Guest.Read64(Mmio).Should().Be(0);
    }

    [Test]
    public void What_the_executor_lacks_is_an_exit_with_bytes_and_reason()
    {
        Guest.Assemble(a => a.gf2p8mulb(xmm0, xmm1));

        VmExit exit = Guest.Run();

        if (!Interprets)
        {
            Assert.Ignore("this host executes the instruction");
        }

        exit.Code.Should().Be(ExitCode.InstructionEmulation, exit.ToString());
        exit.InstructionEmulation.Bytes[..5].ToArray().Should().Equal(0x66, 0x0f, 0x38, 0xcf, 0xc1);
        exit.InstructionEmulation.Suberror.Should().Be(1);
        exit.Rip.Should().Be(LongModeMachine.Code);
        Guest.Cpu.Refusal.Should().Be(EmulationRefusal.NotExecutable);
    }

    [Test]
    public void Switched_off_every_failure_is_an_exit()
    {
        Guest.Dispose();
        _guest = Create(1, secondChance: false);
        Guest.Assemble(a => a.popcnt(rax, rbx));

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(Interprets ? ExitCode.InstructionEmulation : ExitCode.Inout);
        Guest.Cpu.Refusal.Should().Be(Interprets ? EmulationRefusal.SwitchedOff : EmulationRefusal.None);
        Guest.Cpu.Counters.SecondChances.Should().Be(0);
    }

    [Test]
    public void An_operand_in_a_chip_of_the_hypervisor_is_refused_by_name()
    {
        if (mode == InterruptControllerMode.Userspace)
        {
            Assert.Ignore("no chip is in the hypervisor");
        }

        Guest.Assemble(a =>
        {
            a.mov(ebx, 0xfee00020u);
            a.popcnt(ecx, __dword_ptr[rbx]);
        });

        VmExit exit = Guest.Run();

        if (!Interprets)
        {
            Assert.Ignore("this host executes the instruction");
        }

        exit.Code.Should().Be(ExitCode.InstructionEmulation, exit.ToString());
        Guest.Cpu.Refusal.Should().Be(EmulationRefusal.OwnedByHypervisor);
    }

    [Test]
    public void Two_vCPUs_do_not_lose_an_exchange_of_16_bytes()
    {
        const int Rounds = 3000;
        Guest.Dispose();
        _guest = Create(2);
        AssembleForAll(a => LockedLoops.CountIn16Bytes(a, Result, Rounds));

        RunAll();

        Guest.Read64(Result).Should().Be(2 * Rounds);
        Guest.Read64(Result + 8).Should().Be(6 * Rounds);
    }

    [Test]
    public void Two_vCPUs_do_not_lose_a_locked_access_across_pages()
    {
        const int Rounds = 300;
        const int InstructionsPerRound = 5;
        Guest.Dispose();
        _guest = Create(2);

        // Each batch begins with POPCNT and ends with the round: KVM's own emulator would make the access in two parts.
        Guest.Machine.BatchLimit = InstructionsPerRound;
        AssembleForAll(a =>
        {
            Label again = a.CreateLabel();
            a.mov(r8d, Rounds);
            a.mov(rsi, Result + 0xffc);
            a.Label(ref again);
            a.popcnt(rax, r8);
            a.mov(ecx, 1);
            a.@lock.xadd(__qword_ptr[rsi], rcx);
            a.dec(r8d);
            a.jne(again);
        });

        RunAll();

        Guest.Read64(Result + 0xffc).Should().Be(2 * Rounds);
    }

    [Test]
    public void Page_tables_that_a_batch_changes_hold_for_user_mode_at_once()
    {
        // User mode reads a page, the kernel maps another one there, user mode reads again.
        const ulong Window = 0x90000;
        ulong entry = LongModeMachine.FirstPageTable + ((Window >> 12) * 8);
        Guest.Write64(0xa0000, 0x1111);
        Guest.Write64(0xb0000, 0x2222);
        Guest.Write64(entry, 0xa0007);
        Guest.Assemble(LongModeMachine.Handlers + (6 * 16), a => a.jmp(LongModeMachine.Code + 0x800));
        Guest.Assemble(LongModeMachine.Code, a =>
        {
            a.mov(rax, __qword_ptr[Window]);
            a.ud2();
            a.mov(rbx, __qword_ptr[Window]);
            LongModeMachine.End(a);
        });
        Guest.Assemble(LongModeMachine.Code + 0x800, a =>
        {
            a.popcnt(rcx, rax);
            a.mov(__qword_ptr[entry], 0xb0007);
            a.mov(rcx, cr3);
            a.mov(cr3, rcx);
            a.add(__qword_ptr[rsp], 2);
            a.iretq();
        });
        LongModeMachine.EnterUserMode(Guest.Cpu, LongModeMachine.Code);

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x1111);
        Guest.Cpu.GetRegister(RegisterName.Rbx).Should().Be(0x2222);
        ShowChances(atLeast: 1);
    }

    [Test]
    public void In_user_mode_an_interpreting_host_raises_an_exception_and_makes_no_exit()
    {
        Guest.Assemble(LongModeMachine.Handlers + (6 * 16), a =>
        {
            a.mov(r12d, 6);
            LongModeMachine.End(a);
        });
        Guest.Assemble(LongModeMachine.Handlers + (0x40 * 16), a =>
        {
            a.mov(r12d, 0x40);
            LongModeMachine.End(a);
        });
        Guest.Assemble(a => a.@int(0x40));
        LongModeMachine.EnterUserMode(Guest.Cpu, LongModeMachine.Code);

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.R12).Should().Be(Interprets ? 6ul : 0x40ul);
        Guest.Cpu.Counters.SecondChances.Should().Be(0);
    }

    [Test]
    public void An_invalid_opcode_exception_that_KVM_queued_is_taken_back()
    {
        Guest.Dispose();
        _backend = KvmRequirement.OpenBackend(new KvmBackendOptions { ExitOnEmulationFailure = false });
        _guest = new LongModeMachine(_backend, mode);
        Guest.Assemble(a =>
        {
            a.mov(ecx, 0xff);
            a.popcnt(eax, ecx);
        });

        Guest.RunToEnd();

        Guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(8);
    }

    [Test]
    public void A_kick_stops_a_guest_that_fails_for_ever()
    {
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.popcnt(rax, rbx);
            a.jmp(again);
        });
        ExitCode code = default;
        Background run = Background.Start(() => code = Guest.Run().Code);
        Background.Until(() => Guest.Cpu.Counters.SecondChances > 0 || !Interprets);

        Guest.Cpu.RequestYield();

        run.Join();
        code.Should().Be(ExitCode.Bogus);
    }

    private LongModeMachine Create(int cpus, bool secondChance = true)
    {
        _backend = KvmRequirement.OpenBackend();
        return new LongModeMachine(_backend, mode, cpus, secondChance);
    }

    /// <summary>The same code for both vCPUs; the first starts the second where the hypervisor wants that.</summary>
    private void AssembleForAll(Action<Assembler> write)
    {
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            write(a);
            LongModeMachine.End(a);
        });
        Guest.Assemble(a =>
        {
            Guest.StartOthers(a);
            write(a);
        });
    }

    private void RunAll()
    {
        List<Background> runs = [];
        for (int i = 0; i < Guest.Machine.MaxCpus; i++)
        {
            VirtualCpu cpu = Guest.Machine.GetVcpu(new VcpuId(i));
            runs.Add(Background.Start(() => cpu.Run(VmEntry.Default).Code.Should().Be(ExitCode.Inout)));
        }

        runs.ForEach(run => run.Join());
    }

    private void ShowChances(long atLeast)
    {
        VcpuCounters counters = Guest.Cpu.Counters;
        TestContext.Out.WriteLine(
            $"{mode}: {counters.SecondChances} second chances, {counters.EmulatedInstructions} instructions: "
            + string.Join(", ", Guest.Machine.SecondChancesByInstruction.Select(pair => $"{pair.Key} {pair.Value}")));
        if (Interprets)
        {
            counters.SecondChances.Should().BeGreaterThanOrEqualTo(atLeast);
        }
    }
}
