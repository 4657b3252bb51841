// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class HpetTests
{
    private const ulong Timer2 = 0x140;
    private const ulong Route24 = 24 << 9;
    private ManualClock _clock = new();
    private RecordingHpetOutputs _outputs = null!;
    private Hpet _chip = null!;

    [SetUp]
    public void PowerOn() => Make(new());

    [Test]
    public void Capabilities_are_those_of_the_reference() => _chip.Capabilities.Should().Be(0x038D_7EA4_8086_0701);

    [Test]
    public void A_timer_begins_with_its_routes_and_a_full_comparator()
    {
        _chip.Read(Timer2, 8).Should().Be(0xff00_0000_0000_8010);
        _chip.Read(Timer2 + 8, 8).Should().Be(0xffff_ffff);
    }

    [Test]
    public void The_counter_counts_two_to_the_24_a_second()
    {
        _chip.Write(0x10, 8, 1);
        _clock.Advance(100_000_000_000);

        _chip.Read(0xf0, 8).Should().Be(100UL << 24);
    }

    [Test]
    public void A_periodic_timer_is_exact_to_the_tick()
    {
        _chip.Write(Timer2, 8, Route24 | 0x4c);
        _chip.Write(Timer2 + 8, 8, 16777);
        _chip.Write(0x10, 8, 1);
        _clock.Advance(100_000_000_000);

        List<long> rises = [.. _outputs.Log.Where(entry => entry.What == "pin 24 up").Select(entry => entry.Time)];
        rises.Should().Equal(Enumerable.Range(1, 100_001).Select(period => (((period * 16777L * 1_000_000_000) + (1 << 24) - 1) >> 24)).Where(time => time <= 100_000_000_000));
    }

    [Test]
    public void A_million_missed_periods_are_one_interrupt_and_the_next_is_on_time()
    {
        _chip.Write(Timer2, 8, Route24 | 0x4c);
        _chip.Write(Timer2 + 8, 8, 1000);
        _chip.Write(0x10, 8, 1);
        _clock.Jump(60_000_000_000);

        _outputs.Log.Should().HaveCount(2, "an edge is a rise and a fall");
        _chip.Read(Timer2 + 8, 8).Should().Be((60UL << 24) - ((60UL << 24) % 1000) + 1000);
    }

    [Test]
    public void A_level_stays_until_it_is_acknowledged()
    {
        Start(Route24 | 6, 100);
        _clock.Advance(1_000_000);
        uint asserted = _outputs.Pins;
        ulong status = _chip.Read(0x20, 8);
        _chip.Write(0x20, 8, 4);

        asserted.Should().Be(1u << 24);
        status.Should().Be(4);
        _outputs.Pins.Should().Be(0);
    }

    [Test]
    public void Two_timers_on_one_input_hold_it_together()
    {
        _chip.Write(0x160, 8, Route24 | 6);
        _chip.Write(0x168, 8, 50);
        Start(Route24 | 6, 100);
        _clock.Advance(1_000_000);
        _chip.Write(0x20, 8, 4);
        uint one = _outputs.Pins;
        _chip.Write(0x20, 8, 8);

        one.Should().Be(1u << 24);
        _outputs.Pins.Should().Be(0);
    }

    [Test]
    public void Messages_carry_their_address_and_data()
    {
        _chip.Write(Timer2 + 0x10, 8, 0xfee0_1000_0000_0031);
        Start(0x4004, 100);
        _clock.Advance(1_000_000);

        _outputs.Log.Should().ContainSingle().Which.What.Should().Be("message fee01000 31");
    }

    [Test]
    public void A_value_that_has_passed_waits_for_the_counter_to_come_round()
    {
        _chip.Write(0x10, 8, 1);
        _clock.Advance(1_000_000_000);
        _chip.Write(Timer2, 8, Route24 | 4);
        _chip.Write(Timer2 + 8, 8, 100);
        _clock.Advance(254_000_000_000);
        int early = _outputs.Log.Count;
        _clock.Advance(2_000_000_000);

        early.Should().Be(0);
        _outputs.Log[0].Time.Should().Be(((((1L << 32) + 100) * 1_000_000_000) + (1 << 24) - 1) >> 24);
    }

    [Test]
    public void Disabling_fires_nothing_that_was_not_due()
    {
        Start(Route24 | 4, 100_000);
        _chip.Write(0x10, 8, 0);
        _clock.Advance(1_000_000_000);

        _outputs.Log.Should().BeEmpty();
    }

    [TestCase(0x10UL, 1)]
    [TestCase(0x10UL, 2)]
    [TestCase(0x12UL, 4)]
    [TestCase(0x14UL, 8)]
    public void Accesses_of_another_width_or_alignment_do_nothing(ulong offset, int bytes)
    {
        _chip.Write(offset, bytes, ulong.MaxValue);

        _chip.Read(0x10, 8).Should().Be(0);
        _chip.Read(offset, bytes).Should().Be(0);
    }

    [Test]
    public void Halves_of_a_register_are_written_apart()
    {
        _chip.Write(Timer2 + 0x10, 4, 0x11);
        _chip.Write(Timer2 + 0x14, 4, 0xfee0_0000);

        _chip.Read(Timer2 + 0x10, 8).Should().Be(0xfee0_0000_0000_0011);
        _chip.Read(Timer2 + 0x14, 4).Should().Be(0xfee0_0000);
    }

    [Test]
    public void A_route_that_is_not_allowed_is_none()
    {
        _chip.Write(Timer2, 8, (20 << 9) | 4);

        (_chip.Read(Timer2, 8) & 0x3e00).Should().Be(0);
    }

    [Test]
    public void Legacy_replacement_takes_the_lines_of_timer_and_clock()
    {
        Make(new() { LegacyReplacement = true });
        _chip.Write(0x100, 8, 4);
        _chip.Write(0x108, 8, 100);
        _chip.Write(0x10, 8, 3);
        _clock.Advance(1_000_000);

        _outputs.Log.Select(entry => entry.What).Should().Equal("legacy routing on", "legacy 0 up", "legacy 0 down");
    }

    [Test]
    public void Without_the_option_the_legacy_bit_stays_clear()
    {
        _chip.Write(0x10, 8, 3);

        _chip.Read(0x10, 8).Should().Be(1);
    }

    [Test]
    public void A_wide_timer_compares_sixty_four_bits_and_a_narrow_one_half()
    {
        Make(new() { Wide = true });
        _chip.Write(0xf0, 8, 0x1_ffff_ff00);
        _chip.Write(0x100, 8, Route24 | 4);
        _chip.Write(0x108, 8, 0x2_0000_0000);
        _chip.Write(0x120, 8, (25 << 9) | 0x104);
        _chip.Write(0x128, 8, 0x20);
        _chip.Write(0x10, 8, 1);
        _clock.Advance(1_000_000);

        _outputs.Log.Select(entry => entry.What).Should().Equal("pin 24 up", "pin 24 down", "pin 25 up", "pin 25 down");
    }

    [TestCase(0, 2)]
    [TestCase(9, 1)]
    [TestCase(8, 1)]
    [TestCase(31, 0x7f)]
    [TestCase(33, 0x40)]
    public void An_impossible_exchange_state_is_refused(int offset, byte value)
    {
        byte[] data = new byte[288];
        _chip.Read(new VmmDataRequest(VmmDataClass.Hpet, 1, data));
        data[offset] = value;
        data[32] |= 2;

        _chip.Write(new VmmDataRequest(VmmDataClass.Hpet, 1, data)).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void The_exchange_layout_is_byte_exact()
    {
        Start(Route24 | 6, 0x1000);
        byte[] data = new byte[288];
        _chip.Read(new VmmDataRequest(VmmDataClass.Hpet, 1, data)).Length.Should().Be(288);

        data[..8].Should().Equal(1, 0, 0, 0, 0, 0, 0, 0);
        data[96..104].Should().Equal(0x16, 0xb0, 0, 0, 0, 0, 0, 0xff);
        data[112..120].Should().Equal(0, 0x10, 0, 0, 0, 0, 0, 0);
        BitConverter.ToInt64(data, 120).Should().Be(244_141, "4096 ticks, rounded up to a nanosecond");
    }

    private void Start(ulong configuration, ulong comparator)
    {
        _chip.Write(Timer2, 8, configuration);
        _chip.Write(Timer2 + 8, 8, comparator);
        _chip.Write(0x10, 8, 1);
    }

    private void Make(HpetOptions options)
    {
        _clock = new();
        _outputs = new(_clock);
        _chip = new(_clock, _clock.Deadlines, _outputs, options);
    }
}
