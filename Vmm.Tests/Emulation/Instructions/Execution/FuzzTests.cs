// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Oracle;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Any bytes in any state: the executor returns a value, and never throws, hangs, or leaves its memory.</summary>
public sealed class FuzzTests
{
    [Test]
    public void Any_bytes_in_any_state_end_in_a_value([Values(1, 2, 3, 4)] int seed) => Fuzz(seed, states: 6_000);

    [Test]
    [Category("Long")]
    [Explicit("takes ten minutes")]
    public void Any_bytes_in_any_state_end_in_a_value_for_ten_minutes()
    {
        int first = 10 + OracleTest.LongSeed;
        long begin = Stopwatch.GetTimestamp();
        int seed = first;
        while (Stopwatch.GetElapsedTime(begin) < TimeSpan.FromMinutes(10))
        {
            TestContext.Progress.WriteLine($"seed {seed}");
            Fuzz(seed, states: 200_000);
            seed++;
        }

        TestContext.Out.WriteLine($"{seed - first} seeds of 200,000 states");
    }

    private static void Fuzz(int seed, int states)
    {
        Random random = new(seed);
        FlatMachine machine = Create(random);
        long executed = 0;
        for (int n = 0; n < states; n++)
        {
            if (n % 50 == 0)
            {
                machine = Create(random);
            }

            Scramble(machine, random);
            ExecutionResult result = machine.Run(8, deliver: random.Next(2) == 0);
            executed += result.Status == ExecutionStatus.Completed ? 1 : 0;
            Enum.IsDefined(result.Status).Should().BeTrue();
        }

        executed.Should().BePositive();
    }

    private static FlatMachine Create(Random random)
    {
        FlatMachine machine = random.Next(4) switch
        {
            0 => FlatMachine.Real(),
            1 => FlatMachine.Protected(random.Next(2) * 3),
            _ => FlatMachine.Long(random.Next(2) * 3),
        };
        if (random.Next(3) == 0)
        {
            // Descriptors, gates, TSS and page tables of anything.
            random.NextBytes(machine.Memory[..0x4000]);
        }

        return machine;
    }

    private static void Scramble(FlatMachine machine, Random random)
    {
        CpuState state = machine.State;
        Span<byte> code = stackalloc byte[48];
        random.NextBytes(code);
        if (random.Next(2) == 0)
        {
            code[0] = 0x0F;
        }

        if (random.Next(8) == 0)
        {
            code[0] = 0xC5;
        }

        ulong[] rips = [FlatMachine.Code, FlatMachine.Code, 0x8FF0, 0x8FFA, (ulong)random.NextInt64()];
        state.Rip = rips[random.Next(rips.Length)];
        state.Halted = false;
        if (state.Rip < 0x9000)
        {
            code.CopyTo(machine.Memory[(int)state.Rip..]);
        }

        for (int register = 0; register < 16; register++)
        {
            state.General[register] = random.Next(4) switch
            {
                0 => (ulong)random.Next(0x10_0000),
                1 => (ulong)random.Next(16),
                2 => ulong.MaxValue - (ulong)random.Next(0x1000),
                _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
            };
        }

        state.Rflags = (ulong)random.Next() & 0x3F_7FD7 & ~0x2_0100UL | 2;
        if (random.Next(20) == 0)
        {
            state.Cr0 ^= 1UL << random.Next(32);
            state.Cr4 ^= 1UL << random.Next(24);
            state.Xcr0 = (ulong)random.NextInt64();
            state.Xss = (ulong)random.Next(0x1000);
            state.Pkru = (uint)random.Next();
            state.FlushTranslations();
        }

        if (random.Next(20) == 0)
        {
            int segment = random.Next(8);
            state.Segments[segment] = new()
            {
                Base = (ulong)random.NextInt64(long.MinValue, long.MaxValue),
                Limit = (uint)random.Next(),
                Access = (uint)random.Next(0x2_0000),
                Selector = (ushort)random.Next(0x1_0000),
            };
        }
    }
}
