// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Blocks that became methods of the host's runtime do what the interpreter does.</summary>
public sealed class TranslationTests
{
    private const int Data = 0x4_0000;

    [Test]
    public void Random_programs_end_as_they_do_one_instruction_at_a_time([Values("long", "user")] string mode)
        => BlockComparison.Run(mode, seed: 5, programs: 60, translated: true);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Many_random_programs_end_as_they_do_one_instruction_at_a_time([Values("long", "user")] string mode)
        => BlockComparison.Run(mode, seed: 99, programs: 10_000, translated: true);

    /// <summary>
    /// The loop has every kind of body: registers, memory, the stack, conditions, products, shifts, an instruction without a body
    /// (XCHG), and a branch to its own beginning.
    /// </summary>
    [Test]
    public void Loop_within_a_block_stops_at_any_limit([Range(1, 60)] int limit)
    {
        FlatMachine translated = Loop(1);
        FlatMachine interpreted = Loop(0);

        ExecutionResult result = Run(translated, limit, out long executed);
        ExecutionResult expected = Run(interpreted, limit, out long expectedCount);

        (result, executed, Describe(translated)).Should().Be((expected, expectedCount, Describe(interpreted)));
        translated.Memory.SequenceEqual(interpreted.Memory).Should().BeTrue();
    }

    [Test]
    public void Loop_is_executed_by_its_translation()
    {
        FlatMachine machine = Loop(1);
        int translations = 0;
        machine.State.TranslationWorker = work =>
        {
            translations++;
            work();
            return true;
        };

        Run(machine, 10_000, out _);

        translations.Should().Be(1);
    }

    [Test]
    public void Translation_that_nobody_took_is_asked_for_again()
    {
        FlatMachine machine = Loop(1);
        int asked = 0;
        machine.State.TranslationWorker = work =>
        {
            asked++;
            if (asked < 3)
            {
                return false;
            }

            work();
            return true;
        };

        Run(machine, 10_000, out _);

        asked.Should().Be(3);
    }

    [Test]
    public void Translation_that_is_always_refused_leaves_the_block_to_the_interpreter()
    {
        FlatMachine machine = Loop(1);
        FlatMachine reference = Loop(0);
        machine.State.TranslationWorker = static _ => false;

        Run(machine, 1000, out _);

        Run(reference, 1000, out _);
        Describe(machine).Should().Be(Describe(reference));
    }

    /// <summary>A worker that has not come to it leaves the block to the interpreter; one that comes late is no harm.</summary>
    [Test]
    public void Translation_may_come_at_any_time()
    {
        FlatMachine machine = Loop(1);
        FlatMachine reference = Loop(0);
        Action? late = null;
        machine.State.TranslationWorker = work =>
        {
            late = work;
            return true;
        };
        Run(machine, 1000, out _);

        late!();
        Run(machine, 1001, out _);

        Run(reference, 2001, out _);
        Describe(machine).Should().Be(Describe(reference));
    }

    /// <summary>The store is the block's own, on its third pass: what it changes is executed from then on.</summary>
    [Test]
    public void Store_into_a_translated_block_is_seen_by_the_next_instruction()
    {
        // next: mov [rsi], al ; add ebx, 1 (its immediate is at +6) ; dec ecx ; jnz next ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x88, 0x06, 0x83, 0xC3, 0x01, 0xFF, 0xC9, 0x75, 0xF7, 0xF4);
        machine.State.TranslatesAfter = 1;
        machine.State.General[0] = 1;
        machine.State.General[1] = 10;
        machine.State.General[3] = 0;
        machine.State.General[6] = Data;
        Run(machine, 8, out _);
        machine.State.General[0] = 5;
        machine.State.General[6] = FlatMachine.Code + 4;

        Run(machine, 1000, out _).Status.Should().Be(ExecutionStatus.Halted);

        machine.State.General[3].Should().Be(2 + 8 * 5);
    }

    /// <summary>15 bytes are an instruction of the block; 16 behind it are #GP when it comes to them (volume 2, instruction length).</summary>
    [Test]
    public void Longest_instruction_is_translated_and_a_longer_one_faults()
    {
        // next: 66 * 14 nop ; dec ecx ; jnz next ; 66 * 15 nop
        FlatMachine machine = FlatMachine.Long();
        machine.Load([.. Enumerable.Repeat((byte)0x66, 14), 0x90, 0xFF, 0xC9, 0x75, 0xED, .. Enumerable.Repeat((byte)0x66, 15), 0x90]);
        machine.State.TranslatesAfter = 1;
        machine.State.General[1] = 1000;

        ExecutionResult result = Run(machine, 10_000, out long executed);

        (result.Vector, result.ErrorCode, executed, machine.State.Rip).Should().Be(((byte)13, 0u, 3000L, FlatMachine.Code + 19));
        machine.State.General[1].Should().Be(0);
    }

    [Test]
    public void Writes_of_the_host_between_runs_are_seen()
    {
        // next: mov al, 1 ; jmp next
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xB0, 0x01, 0xEB, 0xFC);
        machine.State.TranslatesAfter = 1;
        Run(machine, 10, out _);

        machine.Memory[(int)FlatMachine.Code + 1] = 9;
        Run(machine, 2, out _);

        (machine.State.General[0] & 0xFF).Should().Be(9);
    }

    /// <summary>Flags that a later instruction of the block replaces are not computed; a fault between them shows them all the same.</summary>
    [Test]
    public void Fault_within_a_translated_block_shows_the_flags_before_it()
    {
        // next: cmp eax, ebx ; mov ecx, [rsi] ; add edx, 0 ; dec edi ; jnz next ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x39, 0xD8, 0x8B, 0x0E, 0x83, 0xC2, 0x00, 0xFF, 0xCF, 0x75, 0xF5, 0xF4);
        machine.State.TranslatesAfter = 1;
        machine.State.General[0] = 1;
        machine.State.General[3] = 2;
        machine.State.General[6] = Data;
        machine.State.General[7] = 100;
        Run(machine, 10, out _);
        machine.State.General[6] = 0x7FFF_FFFF_0000;

        ExecutionResult result = Run(machine, 100, out long executed);

        (result.Vector, executed, machine.State.Rip).Should().Be(((byte)14, 1L, FlatMachine.Code + 2));
        (machine.State.Rflags & 0x8D5).Should().Be(0x95, "1 - 2 borrows, is negative, has a carry out of bit 3 and even parity");
    }

    [Test]
    public void Steady_state_allocates_nothing()
    {
        FlatMachine machine = Loop(1000);
        for (int i = 0; i < 40; i++)
        {
            machine.State.General[1] = 1_000_000;
            Run(machine, 100_000, out _);
        }

        machine.State.General[1] = 1_000_000;
        long before = GC.GetAllocatedBytesForCurrentThread();

        Run(machine, 100_000, out _);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    private static FlatMachine Loop(int translatesAfter)
    {
        // next: add rax, rcx ; mov [rsi], rax ; adc rdx, [rsi] ; push rdx ; imul rbx, rdx ; pop rdi ; setc bl ; cmovs r8, rdi ;
        // xchg [rsi+8], rdi ; rol rax, 3 ; lea r9, [rdi+rax*2+5] ; movzx r10d, byte [rsi+9] ; inc dword [rsi+16] ; sub ecx, 1 ; jnz next ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(
            0x48, 0x01, 0xC8, 0x48, 0x89, 0x06, 0x48, 0x13, 0x16, 0x52, 0x48, 0x0F, 0xAF, 0xDA, 0x5F, 0x0F, 0x92, 0xC3, 0x4C, 0x0F, 0x48, 0xC7,
            0x48, 0x87, 0x7E, 0x08, 0x48, 0xC1, 0xC0, 0x03, 0x4C, 0x8D, 0x4C, 0x47, 0x05, 0x44, 0x0F, 0xB6, 0x56, 0x09, 0xFF, 0x46, 0x10,
            0x83, 0xE9, 0x01, 0x75, 0xD0, 0xF4);
        machine.State.TranslatesAfter = translatesAfter;
        for (int register = 0; register < 16; register++)
        {
            machine.State.General[register] = register == 4 ? Data + 0x800UL : register == 6 ? Data : 0x1234_5678_9ABC_DEF1 * (ulong)(register + 1);
        }

        machine.State.General[1] = 3000;
        return machine;
    }

    private static ExecutionResult Run(FlatMachine machine, int limit, out long executed)
    {
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);
        return Executor.Run(ref cpu, limit, deliver: false, out executed);
    }

    private static string Describe(FlatMachine machine)
        => $"{machine.State.Rip:x} {machine.State.Rflags:x} "
            + string.Join(' ', Enumerable.Range(0, 16).Select(register => $"{machine.State.General[register]:x}"));
}
