// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>What keeps an event from being delivered: error codes with EXT (volume 3, error code), and how exceptions follow each other.</summary>
public sealed class DeliveryTests
{
    private const byte InvalidTss = 10;
    private const byte NotPresent = 11;
    private const byte StackFault = 12;
    private const byte GeneralProtection = 13;

    private static readonly TestCaseData[] s_failures =
    [
        Failure("RPL_of_SS0", static m => m.Write32(FlatMachine.Tss + 8, 0x13), InvalidTss, 0x10),
        Failure("SS0_is_null", static m => m.Write32(FlatMachine.Tss + 8, 0), InvalidTss, 0),
        Failure("SS0_outside_the_table", static m => m.Write32(FlatMachine.Tss + 8, 0x80), InvalidTss, 0x80),
        Failure("TSS_too_short", static m => m.State.Segments[(int)SegmentName.Tr].Limit = 8, InvalidTss, 0x28),
        Failure("SS0_not_present", static m => m.Write64(FlatMachine.Gdt + 0x10, 0x00CF_1300_0000_FFFF), StackFault, 0x10),
        Failure("SS0_too_small", static m => m.Write64(FlatMachine.Gdt + 0x10, 0x0040_9300_0000_00FF), StackFault, 0x10),
        Failure("IDT_too_short", static m => m.State.Idtr = new(FlatMachine.Idt, 0x7F), GeneralProtection, 0x30 * 8 + 2),
        Failure("gate_not_present", static m => m.Memory[FlatMachine.Idt + 0x30 * 8 + 5] = 0x6E, NotPresent, 0x30 * 8 + 2),
        Failure("code_not_present", static m => m.Write64(FlatMachine.Gdt + 8, 0x00CF_1B00_0000_FFFF), NotPresent, 8),
        Failure("code_is_data", static m => m.Memory[FlatMachine.Idt + 0x30 * 8 + 2] = 0x10, GeneralProtection, 0x10),
        Failure("code_is_null", static m => m.Memory[FlatMachine.Idt + 0x30 * 8 + 2] = 0, GeneralProtection, 0),
    ];

    [TestCaseSource(nameof(s_failures))]
    public void Failed_delivery_is_reported_with_what_it_failed_at(object spoil, byte vector, uint error)
    {
        Deliver((Action<FlatMachine>)spoil, InterruptKind.External).Should().Be((vector, error | 1), "the event is external to the program");
        Deliver((Action<FlatMachine>)spoil, InterruptKind.HardwareException).Should().Be((vector, error | 1), "so is an exception");
        Deliver((Action<FlatMachine>)spoil, InterruptKind.SoftwareInterrupt).Should().Be((vector, error), "INT n is the program's own");
    }

    [Test]
    public void Stack_of_the_same_level_that_is_too_small_has_no_selector()
    {
        FlatMachine machine = FlatMachine.Protected();
        machine.State.Segments[(int)SegmentName.Ss].Limit = 0x100;

        ExecutionResult result = machine.Deliver(6);

        (result.Vector, result.ErrorCode).Should().Be((StackFault, 1u));
    }

    /// <summary>#UD whose gate is not present, then #NP and #PF whose gates are on a missing page: #DF, whose gate is there (volume 3, #DF).</summary>
    [Test]
    public void Page_fault_behind_a_contributory_exception_behind_another_becomes_a_double_fault()
    {
        const int Table = 0xFF50;
        FlatMachine machine = FlatMachine.Long();
        machine.Memory.Slice(FlatMachine.Idt, NotPresent * 16).CopyTo(machine.Memory[Table..]);
        machine.Memory[Table + 6 * 16 + 5] = 0x0E;
        machine.Write64(0xE000, 0x5_0007);
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0x5_0000 + page * 8, page == 0x10 ? 0 : (ulong)page << 12 | 7);
        }

        machine.State.FlushTranslations();
        machine.State.Idtr = new(Table, 0xFFF);
        machine.Load(0x0F, 0x0B);

        ExecutionResult result = machine.Run(1);

        (result.Status, machine.State.Rip).Should().Be((ExecutionStatus.Completed, FlatMachine.Handler + 8 * 16));
        machine.State.Cr2.Should().Be(0x1_0030, "the gate of #PF is there");
    }

    /// <summary>The same where the double fault's gate is missing too: every event is in the trail.</summary>
    [Test]
    public void Trail_of_a_shutdown_has_all_six_events()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Memory.Slice(FlatMachine.Idt, 8 * 16).CopyTo(machine.Memory[0xFF80..]);
        machine.Memory[0xFF80 + 6 * 16 + 5] = 0x0E;
        machine.Write64(0xE000, 0x5_0007);
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0x5_0000 + page * 8, page == 0x10 ? 0 : (ulong)page << 12 | 7);
        }

        machine.State.FlushTranslations();
        machine.State.Idtr = new(0xFF80, 0xFFF);
        machine.Load(0x0F, 0x0B);

        machine.Run(1).Status.Should().Be(ExecutionStatus.Shutdown);

        Enumerable.Range(0, machine.State.Trail.Count).Select(n => (int)machine.State.Trail[n].Vector).Should().Equal(6, 11, 14, 14, 8, 14);
    }

    /// <summary>#AC is benign, so that one in the delivery of another is delivered in its place: a processor never ends that, the executor does.</summary>
    [Test]
    public void Alignment_check_in_its_own_delivery_ends()
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        machine.Write64(FlatMachine.Gdt + 8, 0x00CF_9F00_0000_FFFF);
        machine.State.Cr0 |= 1 << 18;
        machine.State.Rflags |= 1 << 18;
        machine.State.General[4] = FlatMachine.Stack - 3;
        machine.Load(0x0F, 0x0B);

        machine.Run(1).Status.Should().Be(ExecutionStatus.Shutdown);
    }

    [Test]
    public void Page_of_1_GiB_is_reserved_where_CPUID_does_not_promise_it([Values] bool isPromised)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Write64(0xD000, 0x87);
        machine.State.Features = isPromised ? CpuFeatures.All : CpuFeatures.All & ~CpuFeatures.GigabytePages;
        machine.State.FlushTranslations();
        machine.Load(0x90);

        ExecutionResult result = machine.Step();

        (result.Status, result.ErrorCode).Should().Be(isPromised ? (ExecutionStatus.Completed, 0u) : (ExecutionStatus.Fault, 0x19u));
    }

    private static (byte Vector, uint Error) Deliver(Action<FlatMachine> spoil, InterruptKind kind)
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        machine.Memory[FlatMachine.Idt + 0x30 * 8 + 5] = 0xEE;
        spoil(machine);
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);
        ExecutionResult result = Executor.Deliver(ref cpu, 0x30, kind, null);
        result.Status.Should().Be(ExecutionStatus.Fault);
        return (result.Vector, result.ErrorCode);
    }

    private static TestCaseData Failure(string name, Action<FlatMachine> spoil, byte vector, int error) =>
        new TestCaseData(spoil, vector, (uint)error).SetName($"Failed_delivery_is_reported_{name}");
}
