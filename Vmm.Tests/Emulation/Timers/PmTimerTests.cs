// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class PmTimerTests
{
    [Test]
    public void It_counts_3579545_a_second_without_drift()
    {
        var clock = new ManualClock();
        var chip = new PmTimer(clock, clock.Deadlines);
        clock.Advance(1_000_000_000_000_000);

        chip.Read(4, out uint value).Should().Be(PortOutcome.Handled);
        value.Should().Be(unchecked((uint)(3_579_545L * 1_000_000)));
    }

    [Test]
    public void The_narrow_counter_has_24_bits()
    {
        var clock = new ManualClock();
        var chip = new PmTimer(clock, clock.Deadlines, new() { Narrow = true });
        clock.Advance(10_000_000_000);
        chip.Read(4, out uint value);

        value.Should().Be(35_795_450 & 0xff_ffff);
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(8)]
    public void Another_width_is_refused(int bytes)
    {
        var clock = new ManualClock();
        new PmTimer(clock, clock.Deadlines).Read(bytes, out _).Should().Be(PortOutcome.Refused);
    }

    [Test]
    public void Each_half_turn_sets_the_status_and_raises_the_interrupt_until_it_is_cleared()
    {
        var clock = new ManualClock();
        var line = new TimedLine(clock);
        var chip = new PmTimer(clock, clock.Deadlines, new() { Narrow = true, SystemControlInterrupt = line });
        chip.WriteEvents(2, 2, 1);
        clock.Advance(3_000_000_000);
        uint events = chip.ReadEvents(0, 4);
        chip.WriteEvents(0, 2, 1);
        bool cleared = line.Level;
        clock.Advance(2_000_000_000);

        events.Should().Be(0x1_0001);
        cleared.Should().BeFalse();
        line.Rises.Should().Equal(HalfTurns(1), HalfTurns(2));
    }

    [Test]
    public void A_status_that_is_not_enabled_raises_nothing()
    {
        var clock = new ManualClock();
        var line = new TimedLine(clock);
        var chip = new PmTimer(clock, clock.Deadlines, new() { Narrow = true, SystemControlInterrupt = line });
        clock.Advance(3_000_000_000);

        chip.ReadEvents(0, 2).Should().Be(1);
        line.Rises.Should().BeEmpty();
    }

    [Test]
    public void Locating_moves_the_port_once()
    {
        var moves = new List<(ushort? Old, ushort New)>();
        var clock = new ManualClock();
        var chip = new PmTimer(clock, clock.Deadlines, new() { Relocate = (old, port) => moves.Add((old, port)) });
        chip.Locate(0x408);
        chip.Locate(0x408);
        chip.Locate(0x608);

        moves.Should().Equal((null, 0x408), ((ushort)0x408, 0x608));
    }

    [Test]
    public void A_port_that_is_taken_leaves_the_timer_where_it_was()
    {
        var clock = new ManualClock();
        var chip = new PmTimer(clock, clock.Deadlines, new()
        {
            Relocate = (_, port) => _ = port == 0x408 ? port : throw new VmmException("vm_pmtmr_locate", VmmError.EEXIST, "taken"),
        });
        chip.Locate(0x408);
        Action locate = () => chip.Locate(0x20);

        locate.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EEXIST);
        chip.Port.Should().Be(0x408);
    }

    [Test]
    public void The_exchange_layout_is_byte_exact()
    {
        var clock = new ManualClock(now: 0x0102_0304);
        var chip = new PmTimer(clock, clock.Deadlines);
        chip.Locate(0x408);
        byte[] data = new byte[16];
        chip.Read(new VmmDataRequest(VmmDataClass.PmTimer, 1, data));

        data.Should().Equal(4, 3, 2, 1, 0, 0, 0, 0, 8, 4, 0, 0, 0, 0, 0, 0);
    }

    private static long HalfTurns(int count) => ((((long)count << 23) * 1_000_000_000) + 3_579_544) / 3_579_545;
}
