// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>What no oracle shows: privilege, interrupts, segments, control registers. Numbers are the manual's.</summary>
public sealed class SystemTests
{
    private const int Rax = 0;
    private const int Rcx = 1;
    private const int Rdx = 2;
    private const int Rsp = 4;
    private const byte Gp = 13;

    [Test]
    public void Int_in_real_mode_pushes_three_words_and_clears_IF()
    {
        FlatMachine machine = FlatMachine.Real();
        machine.Write32(0x21 * 4, 0x0100_0040);
        machine.State.Rflags = 0x202;
        machine.Load(0xCD, 0x21);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        (machine.State.Rip, machine.State.Segments[1].Base, machine.State.Rflags & 0x200).Should().Be((0x40ul, 0x1000ul, 0ul));
        (machine.Read16(0x6FFE), machine.Read16(0x6FFC), machine.Read16(0x6FFA)).Should().Be(((ushort)0x202, (ushort)0, (ushort)0x8002));
    }

    [Test]
    public void Int_from_user_mode_switches_to_the_stack_of_the_TSS_and_IRET_returns()
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        machine.Load(0xCD, 0x80);
        machine.Memory[0xA800] = 0xCF;

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (machine.State.Cpl, machine.State.Rip, machine.State.General[Rsp]).Should().Be((0, 0xA800ul, 0x6000ul - 20));
        (machine.Read32(0x5FFC), machine.Read32(0x5FF8), machine.Read32(0x5FEC)).Should().Be((0x23u, 0x7000u, 0x8002u));

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (machine.State.Cpl, machine.State.Rip, machine.State.General[Rsp]).Should().Be((3, 0x8002ul, 0x7000ul));
    }

    [Test]
    public void Int_through_a_gate_of_more_privilege_is_a_general_protection_fault_with_the_vector()
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        machine.Load(0xCD, 0x21);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, 0x21 << 3 | 2));
        (machine.State.Rip, machine.State.General[Rsp]).Should().Be((0x8000ul, 0x7000ul));
    }

    [Test]
    public void Int3_in_long_mode_pushes_an_aligned_frame_with_SS()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[Rsp] = 0x6FF8;
        machine.Load(0xCC);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.State.General[Rsp].Should().Be(0x6FF0 - 40);
        (machine.Read64(0x6FE8), machine.Read64(0x6FE0), machine.Read64(0x6FC8)).Should().Be((0x10ul, 0x6FF8ul, 0x8001ul));
    }

    [Test]
    public void A_fault_in_long_mode_uses_the_interrupt_stack_table()
    {
        FlatMachine machine = FlatMachine.Long(cpl: 3);
        machine.Memory[FlatMachine.Idt + 13 * 16 + 4] = 1;
        machine.Load(0xF4);

        machine.Run(1).Status.Should().Be(ExecutionStatus.Completed);

        (machine.State.Cpl, machine.State.Rip).Should().Be((0, 0xA0D0ul));
        machine.State.General[Rsp].Should().Be(0x5000 - 48);
        (machine.Read64(0x5000 - 48), machine.Read64(0x5000 - 40)).Should().Be((0ul, 0x8000ul));
    }

    [Test]
    public void A_delivered_fault_pushes_RF_set()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.Load(0x0F, 0x0B);

        machine.Run(1);

        (machine.Read32(0x6FFC) & 1 << 16).Should().NotBe(0u);
    }

    [Test]
    public void A_general_protection_fault_without_a_handler_doubles_and_then_shuts_down()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.State.Idtr = new(FlatMachine.Idt, 0);
        machine.Load(0x0F, 0x0B);

        machine.Run(1).Status.Should().Be(ExecutionStatus.Shutdown);
    }

    [Test]
    public void Call_gate_to_more_privilege_pushes_the_old_stack_and_RETF_comes_back()
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        machine.Load(0x9A, 0, 0, 0, 0, 0x33, 0);
        machine.Memory[0xA000] = 0xCB;

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (machine.State.Cpl, machine.State.Rip, machine.State.General[Rsp]).Should().Be((0, 0xA000ul, 0x5FF0ul));

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (machine.State.Cpl, machine.State.Rip, machine.State.General[Rsp]).Should().Be((3, 0x8007ul, 0x7000ul));
    }

    [Test]
    public void Real_mode_reaches_64_bit_mode_by_the_manuals_steps()
    {
        // mov cr4, eax; mov cr3, ebx; wrmsr (LME); mov cr0, edx ... jmp far 08:8100
        FlatMachine machine = FlatMachine.Long();
        CpuState state = machine.State;
        state.Cr0 = 0x11;
        state.Cr4 = 0;
        state.Efer = 0;
        state.Segments[1] = new() { Limit = uint.MaxValue, Access = 0xC09B, Selector = 8 };
        state.General[Rax] = 0x20;
        state.General[3] = 0xC000;
        machine.Load(
            0x0F, 0x22, 0xE0, 0x0F, 0x22, 0xDB, 0xB9, 0x80, 0, 0, 0xC0, 0xB8, 0, 1, 0, 0, 0xBA, 0, 0, 0, 0, 0x0F, 0x30,
            0xB8, 0x11, 0, 0, 0x80, 0x0F, 0x22, 0xC0, 0xEA, 0x00, 0x81, 0, 0, 8, 0);

        machine.Run(9).Status.Should().Be(ExecutionStatus.Completed);

        (state.Efer & 0x500, state.Rip, state.CodeSize).Should().Be((0x500ul, 0x8100ul, Vmm.Emulation.Instructions.Decoding.CodeSize.Bits64));
    }

    [Test]
    public void Setting_PG_without_PE_is_refused_and_changes_nothing()
    {
        FlatMachine machine = FlatMachine.Real();
        machine.State.General[Rax] = 0x8000_0010;
        machine.Load(0x0F, 0x22, 0xC0);

        machine.Step().Vector.Should().Be(Gp);
        machine.State.Cr0.Should().Be(0x10);
    }

    [TestCase(new byte[] { 0xF4 }, TestName = "HLT")]
    [TestCase(new byte[] { 0x0F, 0x20, 0xC0 }, TestName = "MOV_from_CR0")]
    [TestCase(new byte[] { 0x0F, 0x21, 0xC0 }, TestName = "MOV_from_DR0")]
    [TestCase(new byte[] { 0x0F, 0x06 }, TestName = "CLTS")]
    [TestCase(new byte[] { 0x0F, 0x30 }, TestName = "WRMSR")]
    [TestCase(new byte[] { 0x0F, 0x32 }, TestName = "RDMSR")]
    [TestCase(new byte[] { 0x0F, 0x09 }, TestName = "WBINVD")]
    [TestCase(new byte[] { 0x0F, 0x01, 0x38 }, TestName = "INVLPG")]
    [TestCase(new byte[] { 0x0F, 0x01, 0x10 }, TestName = "LGDT")]
    [TestCase(new byte[] { 0x0F, 0x00, 0xD0 }, TestName = "LLDT")]
    [TestCase(new byte[] { 0x0F, 0x01, 0xD1 }, TestName = "XSETBV")]
    [TestCase(new byte[] { 0x0F, 0x01, 0xF8 }, TestName = "SWAPGS")]
    [TestCase(new byte[] { 0x0F, 0x07 }, TestName = "SYSRET")]
    [TestCase(new byte[] { 0xFA }, TestName = "CLI")]
    [TestCase(new byte[] { 0xEC }, TestName = "IN")]
    public void Privileged_instruction_in_user_mode_is_a_general_protection_fault(byte[] code)
    {
        FlatMachine machine = FlatMachine.Long(cpl: 3);
        machine.State.General[Rdx] = 0x80;
        machine.State.General[Rax] = 0x8000;
        machine.Memory[FlatMachine.Tss + 102] = 0x68;
        machine.Memory.Slice(FlatMachine.Tss + 0x68, 0x40).Fill(0xFF);
        machine.Load(code);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, 0));
        machine.State.Rip.Should().Be(0x8000);
    }

    [Test]
    public void The_bitmap_of_the_TSS_opens_a_port_to_user_mode()
    {
        FlatMachine machine = FlatMachine.Long(cpl: 3);
        machine.Memory[FlatMachine.Tss + 102] = 0x68;
        machine.State.General[Rdx] = 0x80;
        machine.State.General[Rax] = 0xAB;
        machine.Load(0xEE);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.Written.Should().Equal(((ushort)0x80, 0xABul, 1));
    }

    [Test]
    public void Syscall_and_sysret_go_there_and_back()
    {
        FlatMachine machine = FlatMachine.Long(cpl: 3);
        machine.State.Star = 0x0010_0008UL << 32;
        machine.State.LStar = 0x9000;
        machine.State.SyscallMask = 0x200;
        machine.State.Rflags = 0x202;
        machine.Load(0x0F, 0x05);
        new byte[] { 0x48, 0x0F, 0x07 }.CopyTo(machine.Memory[0x9000..]);

        machine.Step();
        (machine.State.Rip, machine.State.Cpl, machine.State.General[Rcx], machine.State.Rflags).Should().Be((0x9000ul, 0, 0x8002ul, 2ul));

        machine.Step();
        (machine.State.Rip, machine.State.Cpl, machine.State.Rflags, machine.State.Segments[1].Selector).Should().Be((0x8002ul, 3, 0x202ul, (ushort)0x23));
    }

    [Test]
    public void Loading_SS_holds_off_interrupts_and_traps_for_one_instruction()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.State.General[Rax] = 0x10;
        machine.Load(0x8E, 0xD0, 0x90);

        machine.Step();
        machine.State.Shadow.Should().Be(InterruptShadow.MovSs);
        machine.Step();
        machine.State.Shadow.Should().Be(InterruptShadow.None);
    }

    [Test]
    public void Sti_casts_a_shadow_only_when_IF_was_clear()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.Load(0xFB, 0xFB);

        machine.Step();
        machine.State.Shadow.Should().Be(InterruptShadow.Sti);
        machine.Step();
        machine.State.Shadow.Should().Be(InterruptShadow.None);
    }

    [Test]
    public void Single_step_traps_behind_the_instruction()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.State.Rflags |= 0x100;
        machine.Load(0x90);

        machine.Step().Vector.Should().Be(1);
        (machine.State.Rip, machine.State.Dr6 & 0x4000).Should().Be((0x8001ul, 0x4000ul));
    }

    [TestCase((ushort)0x18, TestName = "SS_with_a_code_segment")]
    [TestCase((ushort)0x23, TestName = "SS_with_a_wrong_privilege")]
    public void Loading_SS_checks_type_and_privilege(ushort selector)
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.State.General[Rax] = selector;
        machine.Load(0x8E, 0xD0);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, (uint)selector & 0xFFFC));
        machine.State.Segments[2].Selector.Should().Be(0x10);
    }

    [Test]
    public void A_null_data_segment_is_accepted_and_faults_on_use()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.Load(0x8E, 0xD8, 0xA1, 0, 0, 0, 0);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, 0));
    }

    [Test]
    public void A_write_that_crosses_into_a_missing_page_writes_nothing()
    {
        // The mapping ends at 2 MiB; memory at 1 MiB, so map the last page of RAM before a hole by 4 KiB pages.
        FlatMachine machine = FlatMachine.Long();
        machine.Write64(0xE000, 0xF007);
        for (int page = 0; page < 32; page++)
        {
            machine.Write64(0xF000 + page * 8, (ulong)page << 12 | 7);
        }

        machine.State.General[Rax] = ulong.MaxValue;
        machine.Load(0x48, 0x89, 0x04, 0x25, 0xFC, 0xFF, 0x01, 0x00);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, 14, true, 2, 0x2_0000));
        machine.Read32(0x1_FFFC).Should().Be(0);
    }

    [Test]
    public void A_repeated_move_stops_exactly_where_it_faults()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Write64(0xE000, 0xF007);
        for (int page = 0; page < 32; page++)
        {
            machine.Write64(0xF000 + page * 8, (ulong)page << 12 | 7);
        }

        machine.State.General[Rcx] = 100;
        machine.State.General[6] = 0x1_0000;
        machine.State.General[7] = 0x1_FFF0;
        machine.Load(0xF3, 0xA4);

        machine.Step().FaultAddress.Should().Be(0x2_0000);
        (machine.State.General[Rcx], machine.State.General[6], machine.State.General[7], machine.State.Rip).Should().Be((84ul, 0x1_0010ul, 0x2_0000ul, 0x8000ul));
    }

    [Test]
    public void Self_modified_code_is_executed_as_modified()
    {
        // mov byte [rip + 0], 0x42 changes the next instruction's immediate: mov al, 0x11
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xB0, 0x11, 0xEB, 0xFC);
        machine.Run(1);
        machine.Memory[0x8001] = 0x42;
        machine.State.Rip = 0x8000;

        machine.Run(1);

        machine.State.General[Rax].Should().Be(0x42);
    }

    [Test]
    public void A_pending_device_read_leaves_everything_for_the_next_attempt()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.Outcome = BusOutcome.Pending;
        machine.Load(0xA1, 0, 0, 0x20, 0);

        machine.Step().Status.Should().Be(ExecutionStatus.Pending);
        machine.State.Rip.Should().Be(0x8000);

        machine.Outcome = BusOutcome.Done;
        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        machine.State.General[Rax].Should().Be(0x5A5A_5A5A);
    }

    [Test]
    public void Cmpxchg16b_needs_alignment_and_compares_both_halves()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[6] = 0x5_0000;
        machine.State.General[3] = 7;
        machine.State.General[Rcx] = 8;
        machine.Load(0xF0, 0x48, 0x0F, 0xC7, 0x0E, 0xF0, 0x48, 0x0F, 0xC7, 0x4E, 0x08);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (machine.Read64(0x5_0000), machine.Read64(0x5_0008)).Should().Be((7ul, 8ul));
        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, 0));
    }

    [Test]
    public void A_task_gate_is_a_named_refusal()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.Load(0xEA, 0, 0, 0, 0, 0x28, 0);

        machine.Step().Status.Should().Be(ExecutionStatus.NotExecutable);
        machine.State.Refusal.Should().Be(ExecutionRefusal.TaskSwitch);
    }

    [Test]
    public void Code_cannot_run_into_the_hole_of_noncanonical_addresses()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.Rip = 1UL << 47;

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, Gp, true, 0));
    }

    [TestCase(1UL << 47, Gp, TestName = "Noncanonical_data_is_GP")]
    [TestCase(0x20_0000UL, (byte)14, TestName = "Unmapped_data_is_PF")]
    public void Data_addresses_are_checked(ulong address, byte vector)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[6] = address;
        machine.Load(0x8B, 0x06);

        machine.Step().Vector.Should().Be(vector);
    }

    [Test]
    public void A_noncanonical_stack_access_is_a_stack_fault()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[Rsp] = 1UL << 47;
        machine.Load(0x58);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, 12, true, 0));
    }

    [Test]
    public void String_output_feeds_the_port_from_memory()
    {
        FlatMachine machine = FlatMachine.Protected();
        "abc"u8.CopyTo(machine.Memory[0x5_0000..]);
        machine.State.General[6] = 0x5_0000;
        machine.State.General[Rcx] = 3;
        machine.State.General[Rdx] = 0x3F8;
        machine.Load(0xF3, 0x6E);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.Written.Should().Equal(((ushort)0x3F8, 0x61ul, 1), ((ushort)0x3F8, 0x62ul, 1), ((ushort)0x3F8, 0x63ul, 1));
        (machine.State.General[Rcx], machine.State.General[6]).Should().Be((0ul, 0x5_0003ul));
    }

    [Test]
    public void A_byte_from_a_port_keeps_the_rest_of_RAX()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[Rax] = ulong.MaxValue;
        machine.Load(0xE4, 0x60);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.State.General[Rax].Should().Be(0xFFFF_FFFF_FFFF_FF78);
    }

    [Test]
    public void Division_by_zero_faults_and_changes_nothing()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.General[Rax] = 5;
        machine.Load(0xF7, 0xF1);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, 0));
        (machine.State.General[Rax], machine.State.Rip).Should().Be((5ul, 0x8000ul));
    }

    [Test]
    public void Arithmetic_of_AVX512_is_refused_by_name()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x62, 0xF1, 0x7C, 0x48, 0x58, 0xC1);

        machine.Step().Status.Should().Be(ExecutionStatus.NotExecutable);
        machine.State.Rip.Should().Be(0x8000);
    }

    [Test]
    public void Virtual_8086_mode_is_entered_and_left()
    {
        FlatMachine machine = FlatMachine.Protected();
        CpuState state = machine.State;
        uint[] frame = [0x100, 0x800, 0x2_3202, 0x500, 0x600, 0x10, 0x20, 0x30, 0x40];
        for (int n = 0; n < frame.Length; n++)
        {
            machine.Write32(0x7000 + n * 4, frame[n]);
        }

        machine.Load(0xCF);
        machine.Memory[0x8100] = 0xCD;
        machine.Memory[0x8101] = 0x80;

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (state.IsVirtual8086, state.Cpl, state.Segments[1].Base, state.Segments[3].Base).Should().Be((true, 3, 0x8000ul, 0x200ul));

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        (state.IsVirtual8086, state.Cpl, state.Rip, machine.Read32(0x5FFC), machine.Read32(0x5FF0)).Should().Be((false, 0, 0xA800ul, 0x40u, 0x10u));
    }
}
