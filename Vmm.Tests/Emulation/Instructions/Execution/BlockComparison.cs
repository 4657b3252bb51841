// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Random programs, run by blocks and one instruction at a time: registers, memory, counts and outcomes are the same.</summary>
internal static class BlockComparison
{
    private const int Data = 0x4_0000;

    /// <summary>Compares random programs; translated ones are run once before, so that they are translated and known.</summary>
    internal static void Run(string mode, int seed, int programs, bool translated = false)
    {
        Random random = new(seed);
        RandomPrograms source = new(random);
        FlatMachine blocks = Create(mode);
        FlatMachine single = Create(mode);
        blocks.State.TranslatesAfter = translated ? 1 : 0;
        byte[] pristine = blocks.Bytes.ToArray();
        long total = 0;
        for (int program = 0; program < programs; program++)
        {
            pristine.CopyTo(blocks.Memory);
            random.NextBytes(blocks.Memory.Slice(Data, 0x1000));

            // At the end of a page every other time.
            ulong start = FlatMachine.Code + (random.Next(2) == 0 ? 0u : 0xFC0u);
            source.Fill(blocks.Memory.Slice((int)start, 160));
            blocks.Memory.CopyTo(single.Memory);
            Scramble(blocks.State, random, mode, start);
            Copy(blocks.State, single.State);

            byte[] memory = blocks.Bytes.ToArray();
            FlatMachine before = Create(mode);
            Copy(blocks.State, before.State);
            if (translated)
            {
                FlatCpu cpu = new(blocks.State, blocks.Bytes, blocks);
                Executor.Run(ref cpu, 60, deliver: false, out _);
                Restore(blocks);
            }

            long executed = RunBoth(blocks, single, 60, out string difference);
            for (int limit = 1; difference.Length != 0 && limit <= 60; limit++)
            {
                Restore(blocks);
                Restore(single);
                RunBoth(blocks, single, limit, out string first);
                first.Should().BeEmpty($"program {program} of seed {seed} is the same up to instruction {limit}");
            }

            difference.Should().BeEmpty($"program {program} of seed {seed} is the same");
            total += executed;

            void Restore(FlatMachine machine)
            {
                memory.CopyTo(machine.Memory);
                Copy(before.State, machine.State);
            }
        }

        total.Should().BeGreaterThan(programs * 3);
    }

    /// <summary>Runs both up to a limit; returns what was executed, and what differs at the end.</summary>
    private static long RunBoth(FlatMachine blocks, FlatMachine single, int limit, out string difference)
    {
        FlatCpu cpu = new(blocks.State, blocks.Bytes, blocks);
        ExecutionResult fast = default;
        long executed = 0;
        while (executed < limit && fast.Status == ExecutionStatus.Completed)
        {
            // Long repetitions end a run early.
            fast = Executor.Run(ref cpu, limit - executed, deliver: false, out long some);
            executed += some;
        }

        ExecutionResult slow = default;
        long steps = 0;
        ulong last = 0;
        while (steps < limit && slow.Status == ExecutionStatus.Completed)
        {
            last = single.State.Rip;
            slow = single.Step();
            steps += slow.Status is ExecutionStatus.Completed or ExecutionStatus.Halted ? 1 : 0;
        }

        string actual = $"{fast} {executed} {Describe(blocks.State)}";
        string expected = $"{slow} {steps} {Describe(single.State)}";
        bool isEqual = actual == expected && blocks.Memory.SequenceEqual(single.Memory)
            && blocks.State.Extended.Image.SequenceEqual(single.State.Extended.Image);
        difference = isEqual ? ""
            : $"{actual}\ninstead of\n{expected}\nbehind {Convert.ToHexString(single.Memory.Slice((int)Math.Min(last, 0xF_0000), 16))} at {last:x}";
        return executed;
    }

    private static FlatMachine Create(string mode) => mode switch
    {
        "real" => FlatMachine.Real(),
        "protected" => FlatMachine.Protected(),
        "long" => FlatMachine.Long(),
        _ => FlatMachine.Long(cpl: 3),
    };

    private static void Scramble(CpuState state, Random random, string mode, ulong start)
    {
        FlatMachine fresh = Create(mode);
        Copy(fresh.State, state);
        for (int register = 0; register < 16; register++)
        {
            state.General[register] = mode == "real" ? (ulong)random.Next(0x1_0000)
                : random.Next(4) == 0 ? (ulong)random.NextInt64() >> random.Next(64) : Data + (ulong)random.Next(0x1000);
        }

        state.General[1] = (ulong)random.Next(20);
        state.General[4] = mode == "real" ? FlatMachine.Stack : Data + 0x800;
        state.Rip = start;
        state.Rflags = 2 | (ulong)random.Next() & 0xCD5 | (random.Next(16) == 0 ? 0x100UL : 0) | (random.Next(16) == 0 ? 0x1_0000UL : 0)
            | (random.Next(8) == 0 ? 0x4_0000UL : 0);
        state.Cr0 |= random.Next(2) == 0 ? 1UL << 18 : 0;
        state.FlushTranslations();
    }

    private static void Copy(CpuState from, CpuState to)
    {
        to.General = from.General;
        to.Segments = from.Segments;
        (to.Rip, to.Rflags, to.Shadow, to.Halted) = (from.Rip, from.Rflags, from.Shadow, from.Halted);
        (to.Cr0, to.Cr2, to.Cr3, to.Cr4, to.Cr8, to.Efer, to.Xcr0) = (from.Cr0, from.Cr2, from.Cr3, from.Cr4, from.Cr8, from.Efer, from.Xcr0);
        (to.Dr6, to.Dr7, to.Gdtr, to.Idtr) = (from.Dr6, from.Dr7, from.Gdtr, from.Idtr);
        from.Extended.Image.CopyTo(to.Extended.Image);
        to.FlushTranslations();
    }

    private static string Describe(CpuState state)
    {
        string registers = string.Join(' ', Enumerable.Range(0, 16).Select(register => $"{state.General[register]:x}"));
        string segments = string.Join(' ', Enumerable.Range(0, 6).Select(n => $"{state.Segments[n].Selector:x}:{state.Segments[n].Access:x}"));
        return $"rip {state.Rip:x} flags {state.Rflags:x} {state.Shadow} {state.Halted} dr6 {state.Dr6:x} {registers} {segments}";
    }
}
