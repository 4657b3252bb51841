// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>What holds for the state and the accesses of every timer chip, at random points of random runs.</summary>
[TestFixture(VmmDataClass.AtPit)]
[TestFixture(VmmDataClass.Hpet)]
[TestFixture(VmmDataClass.PmTimer)]
[TestFixture(VmmDataClass.Rtc)]
internal sealed class TimerChipStateTests(VmmDataClass kind)
{
    [Test]
    public void A_restored_chip_is_in_the_saved_state_and_behaves_alike([Range(1, 30)] int seed)
    {
        ChipUnderTest original = RandomRun(seed, out Random random);
        object saved = original.Save();
        var copy = ChipUnderTest.Create(kind, original.Clock.Now);
        copy.Restore(saved);

        copy.Save().Should().Be(saved);
        int next = random.Next();
        Trace(original, next).Should().Equal(Trace(copy, next));
        copy.Save().Should().Be(original.Save());
    }

    [Test]
    public void The_exchange_layout_gives_back_what_it_took([Range(1, 30)] int seed)
    {
        ChipUnderTest original = RandomRun(seed, out _);
        byte[] first = original.Export();
        byte[] second = Transfer(first, original.Clock.Now);

        Transfer(second, original.Clock.Now).Should().Equal(second);
        if (kind != VmmDataClass.AtPit)
        {
            second.Should().Equal(first);
        }
    }

    [Test]
    public void Any_bytes_of_the_exchange_layout_are_refused_or_made_sane([Range(1, 200)] int seed)
    {
        var random = new Random(seed);
        var chip = ChipUnderTest.Create(kind, 5_000_000_000);
        byte[] data = chip.Export();
        for (int change = random.Next(1, 40); change > 0; change--)
        {
            data[random.Next(data.Length)] = (byte)random.Next(256);
        }

        if (chip.Import(data) == VmmError.EINVAL)
        {
            return;
        }

        byte[] sane = chip.Export();
        Transfer(sane, chip.Clock.Now).Should().Equal(sane);
        Trace(chip, seed).Should().HaveCount(200);
    }

    [Test]
    public void A_short_buffer_is_refused_with_the_length_it_needs()
    {
        var chip = ChipUnderTest.Create(kind);
        int length = chip.Export().Length;
        byte[] data = new byte[length - 1];

        chip.Read(data).Should().Be(new VmmDataResult(VmmError.ENOSPC, (uint)length));
        chip.Write(data).Should().Be(new VmmDataResult(VmmError.ENOSPC, (uint)length));
    }

    [Test]
    public void Any_access_of_any_width_at_any_place_is_answered([Range(1, 10)] int seed)
    {
        var random = new Random(seed);
        var chip = ChipUnderTest.Create(kind);
        for (int step = 0; step < 3000; step++)
        {
            chip.Fuzz(RandomPlace(random), random.Next(-1, 18), (ulong)random.NextInt64(), random.Next(2) == 0);
            chip.Act(random);
            if (step % 100 == 0)
            {
                chip.Clock.Jump(random.Next(3) == 0 ? random.NextInt64(long.MaxValue / 40) : random.Next(100_000));
            }
        }

        chip.Save().Should().NotBeNull();
    }

    [Test]
    public void Accesses_and_deadlines_allocate_nothing()
    {
        ChipUnderTest chip = RandomRun(3, out _);
        Work(chip);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Work(chip);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        allocated.Should().Be(0);
    }

    [Test]
    public void A_century_of_pause_costs_no_more_than_a_moment()
    {
        ChipUnderTest chip = RandomRun(5, out _);
        chip.Clock.Jump(100L * 365 * 86_400 * 1_000_000_000);

        chip.Clock.Deadlines.NextDue.Should().BeGreaterThan(chip.Clock.Now);
    }

    private static void Work(ChipUnderTest chip)
    {
        for (int step = 0; step < 200; step++)
        {
            chip.Fuzz(0x40, 1, 0, false);
            chip.Fuzz(0x71, 1, 0, false);
            chip.Fuzz(0xf0, 8, 0, false);
            chip.Fuzz(4, 4, 0, false);
            chip.Clock.Jump(1_000_000);
        }
    }

    private static ulong RandomPlace(Random random) => random.Next(4) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => (ulong)random.Next(0x80),
        2 => (ulong)random.Next(0x400),
        _ => (ulong)random.Next(5),
    };

    private static List<ulong> Trace(ChipUnderTest chip, int seed)
    {
        var random = new Random(seed);
        var trace = new List<ulong>();
        for (int step = 0; step < 200; step++)
        {
            trace.Add(chip.Act(random));
            chip.Clock.Advance(random.Next(20_000));
        }

        return trace;
    }

    private ChipUnderTest RandomRun(int seed, out Random random)
    {
        random = new Random(seed);
        var chip = ChipUnderTest.Create(kind);
        for (int step = random.Next(10, 150); step > 0; step--)
        {
            chip.Act(random);
            chip.Wait(random);
        }

        return chip;
    }

    private byte[] Transfer(byte[] data, long now)
    {
        var chip = ChipUnderTest.Create(kind, now);
        chip.Import(data).Should().Be(VmmError.None);
        return chip.Export();
    }
}
