// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>A run by blocks, with its caches, is the same as instructions executed one by one.</summary>
public sealed class BlockTests
{
    private const int Data = 0x4_0000;

    [Test]
    public void Random_programs_end_as_they_do_one_instruction_at_a_time(
        [Values("real", "protected", "long", "user")] string mode, [Values(1, 2)] int seed) => BlockComparison.Run(mode, seed, programs: 400);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Many_random_programs_end_as_they_do_one_instruction_at_a_time([Values("real", "protected", "long", "user")] string mode)
        => BlockComparison.Run(mode, seed: 77, programs: 30_000);

    /// <summary>The block of the first pass is left through a store that changes an instruction behind it.</summary>
    [Test]
    public void Store_into_the_running_block_is_seen_by_the_next_instruction()
    {
        // mov byte [rip+1], 7 ; mov al, 1 (becomes mov al, 7) ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xC6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x07, 0xB0, 0x01, 0xF4);

        machine.Run(100).Status.Should().Be(ExecutionStatus.Halted);

        (machine.State.General[0] & 0xFF).Should().Be(7);
    }

    /// <summary>A loop that counts in its own immediate: each pass decodes anew.</summary>
    [Test]
    public void Code_that_changes_itself_in_a_loop_is_executed_as_it_is()
    {
        // next: add eax, 0 (imm32 at +1) ; inc dword [rip-6-...] ; dec ecx ; jnz next ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x05, 0, 0, 0, 0, 0xFF, 0x05, 0xF6, 0xFF, 0xFF, 0xFF, 0xFF, 0xC9, 0x75, 0xF1, 0xF4);
        machine.State.General[0] = 0;
        machine.State.General[1] = 100;

        machine.Run(1000).Status.Should().Be(ExecutionStatus.Halted);

        machine.State.General[0].Should().Be(4950);
    }

    [Test]
    public void Repeated_store_over_the_code_behind_it_is_seen()
    {
        // rep stosb (over what follows) ; mov al, 1 ...
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xF3, 0xAA, 0xB3, 0x01, 0xB3, 0x02, 0xB3, 0x03, 0xB3, 0x04);
        machine.State.General[0] = 0xF4;
        machine.State.General[1] = 8;
        machine.State.General[7] = FlatMachine.Code + 2;
        machine.State.General[3] = 0;

        machine.Run(100).Status.Should().Be(ExecutionStatus.Halted);

        (machine.State.Rip, machine.State.General[3]).Should().Be((FlatMachine.Code + 3, 0UL));
    }

    [Test]
    public void Writes_of_the_host_between_runs_are_seen()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xB0, 0x01, 0xEB, 0xFC);
        machine.Run(10);

        machine.Memory[(int)FlatMachine.Code + 1] = 9;
        machine.Run(2);

        (machine.State.General[0] & 0xFF).Should().Be(9);
    }

    /// <summary>The other CPU waits for the change without any instruction that serializes.</summary>
    [Test]
    public void Writes_of_another_cpu_are_seen_by_a_loop_that_does_not_serialize()
    {
        // next: mov al, 1 (the other CPU makes it 0) ; test al, al ; jnz next ; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xB0, 0x01, 0x84, 0xC0, 0x75, 0xFA, 0xF4);
        FlatMachine other = FlatMachine.Long();
        other.State.Rip = 0x9000;
        ReadOnlySpan<byte> writer = [0xC6, 0x04, 0x25, 0x01, 0x80, 0x00, 0x00, 0x00, 0xF4];
        writer.CopyTo(machine.Memory[0x9000..]);
        machine.Run(1000).Status.Should().Be(ExecutionStatus.Completed);
        Thread thread = new(() =>
        {
            FlatCpu cpu = new(other.State, machine.Bytes, machine);
            Executor.Run(ref cpu, 100, deliver: false, out _);
        });

        thread.Start();
        ExecutionResult result = machine.Run(int.MaxValue);
        thread.Join();

        result.Status.Should().Be(ExecutionStatus.Halted);
    }

    /// <summary>What the host writes shows in a run that goes on when as much was executed as a loop may without serializing.</summary>
    [TestCase(2, false, 1)]
    [TestCase(2, true, 9)]
    [TestCase(70_000, false, 9)]
    public void Run_that_goes_on_compares_code_as_one_run_would(int limit, bool flush, int expected)
    {
        // next: mov al, 1 (the host makes it 9) ; jmp next
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xB0, 0x01, 0xEB, 0xFC);
        machine.Run(10);
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);
        machine.Memory[(int)FlatMachine.Code + 1] = 9;
        if (flush)
        {
            machine.State.FlushTranslations();
        }

        Executor.Continue(ref cpu, limit, deliver: false, out _);

        (machine.State.General[0] & 0xFF).Should().Be((ulong)expected);
    }

    [TestCase(1), TestCase(2), TestCase(3), TestCase(5), TestCase(7), TestCase(40), TestCase(70_001)]
    public void Limit_is_exact(int limit)
    {
        // next: inc rax ; inc rbx ; inc rcx ; jmp next
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC3, 0x48, 0xFF, 0xC1, 0xEB, 0xF5);
        machine.State.General[0] = machine.State.General[1] = machine.State.General[3] = 0;
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);

        Executor.Run(ref cpu, limit, deliver: true, out long executed);

        executed.Should().Be(limit);
        machine.State.General[0].Should().Be((ulong)(limit + 3) / 4);
        machine.State.General[1].Should().Be((ulong)(limit + 1) / 4);
    }

    [Test]
    public void Halt_counts_once()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0x90, 0x90, 0xF4, 0x90);
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);

        ExecutionResult result = Executor.Run(ref cpu, 100, deliver: true, out long executed);

        (result.Status, executed, machine.State.Rip).Should().Be((ExecutionStatus.Halted, 3L, FlatMachine.Code + 3));
    }

    /// <summary>The same linear page leads to other memory after its entry changed and INVLPG: for code and for data.</summary>
    [Test]
    public void Changed_mapping_is_followed_after_invlpg()
    {
        FlatMachine machine = FlatMachine.Long();
        MapPages(machine);

        // 0x8000: mov al, [0x40000] ; mov qword [page table entry of 0x40000], 0x50003 ; invlpg [0x40000] ; mov bl, [0x40000] ; hlt
        machine.Load(
            0x8A, 0x04, 0x25, 0x00, 0x00, 0x04, 0x00,
            0x48, 0xC7, 0x04, 0x25, 0x00, 0xF2, 0x00, 0x00, 0x07, 0x00, 0x05, 0x00,
            0x0F, 0x01, 0x3C, 0x25, 0x00, 0x00, 0x04, 0x00,
            0x8A, 0x1C, 0x25, 0x00, 0x00, 0x04, 0x00, 0xF4);
        machine.Memory[Data] = 1;
        machine.Memory[0x5_0000] = 2;

        machine.Run(100).Status.Should().Be(ExecutionStatus.Halted);

        (machine.State.General[0] & 0xFF, machine.State.General[3] & 0xFF).Should().Be((1UL, 2UL));
    }

    [Test]
    public void Changed_mapping_of_code_is_followed_after_a_load_of_cr3()
    {
        FlatMachine machine = FlatMachine.Long();
        MapPages(machine);

        // 0x10000: mov bl, 1 ; ret. 0x11000: mov bl, 2 ; ret. The entry of 0x10000 is changed to 0x11000 between two calls.
        ReadOnlySpan<byte> one = [0xB3, 0x01, 0xC3];
        ReadOnlySpan<byte> two = [0xB3, 0x02, 0xC3];
        one.CopyTo(machine.Memory[0x1_0000..]);
        two.CopyTo(machine.Memory[0x1_1000..]);

        // mov edi, 0x10000 ; call rdi ; mov cl, bl ; mov qword [entry], 0x11007 ; mov rax, cr3 ; mov cr3, rax ; call rdi ; hlt
        machine.Load(
            0xBF, 0x00, 0x00, 0x01, 0x00, 0xFF, 0xD7, 0x88, 0xD9,
            0x48, 0xC7, 0x04, 0x25, 0x80, 0xF0, 0x00, 0x00, 0x07, 0x10, 0x01, 0x00,
            0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0xFF, 0xD7, 0xF4);

        machine.Run(100).Status.Should().Be(ExecutionStatus.Halted);

        (machine.State.General[1] & 0xFF, machine.State.General[3] & 0xFF).Should().Be((1UL, 2UL));
    }

    /// <summary>A page that was written as a supervisor is not thereby writable for user code.</summary>
    [Test]
    public void Rights_of_one_privilege_level_do_not_serve_another()
    {
        FlatMachine machine = FlatMachine.Long();
        MapPages(machine);
        machine.Write64(0xF000 + 0x40 * 8, Data | 3);
        machine.Load(0x89, 0x04, 0x25, 0x00, 0x00, 0x04, 0x00, 0xEB, 0xF7);
        machine.Run(10).Status.Should().Be(ExecutionStatus.Completed);

        machine.State.Segments[(int)SegmentName.Ss].Access |= 3 << 5;
        machine.State.Segments[(int)SegmentName.Cs].Access |= 3 << 5;
        ExecutionResult result = machine.Run(10, deliver: false);

        (result.Status, result.Vector, result.ErrorCode).Should().Be((ExecutionStatus.Fault, (byte)14, 7u));
    }

    [Test]
    public void Steady_state_allocates_nothing()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(0xFF, 0x06, 0x8B, 0x06, 0x50, 0x5B, 0xE8, 0x02, 0x00, 0x00, 0x00, 0xEB, 0xF3, 0xC3);
        machine.State.General[6] = Data;

        // The runtime compiles what runs often once more, and allocates for that on this thread.
        for (int i = 0; i < 40; i++)
        {
            machine.Run(100_000);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();

        machine.Run(100_000);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    /// <summary>More blocks than the cache holds: it forgets and goes on.</summary>
    [Test]
    public void Code_without_end_is_executed_with_bounded_memory()
    {
        // next: mov dword [rsi], 0xc390 | counter ... ; call rsi ; inc ; jmp next. Each call runs code at another address with other bytes.
        FlatMachine machine = FlatMachine.Long();
        machine.Load(
            0xC6, 0x06, 0x90, 0xC6, 0x46, 0x01, 0xC3, 0xFF, 0xD6, 0xFF, 0xC6, 0x81, 0xE6, 0xFF, 0xFF, 0x03, 0x00, 0x81, 0xCE, 0x00, 0x00, 0x04, 0x00,
            0xFF, 0xC9, 0x75, 0xE5, 0xF4);
        machine.State.General[6] = Data;
        machine.State.General[1] = 300_000;

        machine.Run(10_000_000, deliver: false).Status.Should().Be(ExecutionStatus.Halted);

        machine.State.General[1].Should().Be(0);
    }

    /// <summary>Splits the first 2 MiB into pages of 4 KiB, identity-mapped for everyone, with the table at 0xF000.</summary>
    private static void MapPages(FlatMachine machine)
    {
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0xF000 + page * 8, (ulong)page << 12 | 7);
        }

        machine.Write64(0xE000, 0xF007);
    }
}
