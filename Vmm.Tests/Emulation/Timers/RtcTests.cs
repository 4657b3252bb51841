// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class RtcTests
{
    private const long Second = 1_000_000_000;
    private ManualClock _clock = null!;
    private TimedLine _line = null!;
    private Rtc _chip = null!;

    [SetUp]
    public void PowerOn()
    {
        _clock = new();
        _line = new(_clock);
        _chip = new(_clock, _clock.Deadlines, _line, new DateTimeOffset(2024, 2, 28, 23, 59, 58, TimeSpan.Zero));
    }

    [TestCase(3, 8192)]
    [TestCase(4, 4096)]
    [TestCase(5, 2048)]
    [TestCase(6, 1024)]
    [TestCase(7, 512)]
    [TestCase(8, 256)]
    [TestCase(9, 128)]
    [TestCase(10, 64)]
    [TestCase(11, 32)]
    [TestCase(12, 16)]
    [TestCase(13, 8)]
    [TestCase(14, 4)]
    [TestCase(15, 2)]
    [TestCase(1, 256)]
    [TestCase(2, 128)]
    public void A_periodic_rate_is_exact(int rate, int hertz)
    {
        Write(0x0a, 0x20 | rate);
        Write(0x0b, 0x42);
        long end = 10 * Second;
        while (_clock.Now < end)
        {
            _clock.AdvanceTo(Math.Min(end, _clock.Deadlines.NextDue));
            Read(0x0c);
        }

        _line.Rises.Should().Equal(Enumerable.Range(1, 10 * hertz).Select(period => ((period * Second) + hertz - 1) / hertz));
    }

    [Test]
    public void The_leap_day_comes()
    {
        _clock.Advance(2 * Second);

        new[] { 0, 2, 4, 6, 7, 8, 9, 0x32 }.Select(Read).Should().Equal(0, 0, 0, 5, 0x29, 2, 0x24, 0x20);
    }

    [Test]
    public void Twelve_hours_show_the_afternoon_in_bit_seven()
    {
        Write(0x0b, 0x00);
        byte late = Read(4);
        _clock.Advance(2 * Second);

        late.Should().Be(0x91);
        Read(4).Should().Be(0x12, "midnight is twelve in the morning");
    }

    [Test]
    public void Update_in_progress_is_seen_before_the_second_changes()
    {
        _clock.AdvanceTo(Second - 2_300_000);
        int before = Read(0x0a) & 0x80;
        _clock.AdvanceTo(Second - 2_200_000);
        int during = Read(0x0a) & 0x80;
        byte old = Read(0);
        _clock.AdvanceTo(Second);

        before.Should().Be(0);
        during.Should().Be(0x80);
        old.Should().Be(0x58);
        (Read(0x0a) & 0x80).Should().Be(0);
        Read(0).Should().Be(0x59);
    }

    [Test]
    public void An_alarm_with_wildcards_rings_every_hour()
    {
        Write(1, 0x30);
        Write(3, 0x15);
        Write(5, 0xff);
        Write(0x0b, 0x22);
        for (int hour = 0; hour < 3; hour++)
        {
            _clock.Advance(3600 * Second);
            Read(0x0c).Should().Be(0xb0);
        }

        // From 23:59:58 to 00:15:30 it is 932 seconds.
        _line.Rises.Should().Equal(932 * Second, (932 + 3600) * Second, (932 + 7200) * Second);
    }

    [Test]
    public void The_line_stays_up_until_register_c_is_read()
    {
        Write(0x0b, 0x12);
        _clock.Advance(10 * Second);
        bool before = _line.Level;
        byte flags = Read(0x0c);

        before.Should().BeTrue();
        _line.Rises.Should().Equal(Second);
        flags.Should().Be(0xb0, "midnight was the time of the alarm, too");
        _line.Level.Should().BeFalse();
        Read(0x0c).Should().Be(0);
    }

    [Test]
    public void Set_holds_the_time_and_disables_the_update_interrupt()
    {
        Write(0x0b, 0x12);
        Write(0x0b, 0x92);
        _clock.Advance(5 * Second);

        Read(0).Should().Be(0x58);
        Read(0x0b).Should().Be(0x82);
    }

    [Test]
    public void The_first_second_after_a_divider_reset_takes_half_as_long()
    {
        Write(0x0a, 0x70);
        _clock.Advance((5 * Second) + 123);
        Write(0x0a, 0x20);
        _clock.Advance((Second / 2) - 1);
        byte before = Read(0);
        _clock.Advance(1);

        before.Should().Be(0x58);
        Read(0).Should().Be(0x59);
    }

    [Test]
    public void A_date_that_does_not_exist_stops_the_clock_until_a_good_one_comes()
    {
        Write(8, 0x13);
        _clock.Advance(5 * Second);
        byte stopped = Read(0);
        Write(8, 0x03);
        _clock.Advance(5 * Second);

        stopped.Should().Be(0x58);
        _chip.Time.Should().Be(new DateTimeOffset(2024, 3, 29, 0, 0, 3, TimeSpan.Zero));
    }

    [Test]
    public void Setting_the_time_is_refused_while_the_guest_holds_it()
    {
        Write(0x0b, 0x82);
        Action set = () => _chip.Time = DateTimeOffset.UnixEpoch;

        set.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
    }

    [Test]
    public void The_time_given_keeps_its_fraction()
    {
        _chip.Time = DateTimeOffset.UnixEpoch.AddMilliseconds(900);
        _clock.Advance(Second / 10);

        Read(0).Should().Be(1);
    }

    [TestCase(13)]
    [TestCase(0x32)]
    [TestCase(128)]
    [TestCase(-1)]
    public void Bytes_of_the_clock_cannot_be_written_from_outside(int offset)
    {
        Action write = () => _chip.WriteNvram(offset, 1);

        write.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    [TestCase(128)]
    [TestCase(-1)]
    public void Bytes_that_do_not_exist_cannot_be_read(int offset)
    {
        Action read = () => _chip.ReadNvram(offset);

        read.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Memory_is_shared_with_the_guest()
    {
        _chip.WriteNvram(0x40, 0xa5);
        Write(0x41, 0x5a);

        Read(0x40).Should().Be(0xa5);
        _chip.ReadNvram(0x41).Should().Be(0x5a);
        _chip.ReadNvram(0).Should().Be(0x58);
    }

    [Test]
    public void The_index_carries_the_mask_of_the_nmi_and_cannot_be_read()
    {
        _chip.Write(0x70, 1, 0x8d);
        _chip.Read(0x70, 1, out uint index);
        _chip.Read(0x71, 1, out uint data);

        _chip.NmiMasked.Should().BeTrue();
        index.Should().Be(0xff);
        data.Should().Be(0x80);
    }

    [Test]
    public void A_wide_access_is_refused() => _chip.Read(0x71, 2, out _).Should().Be(PortOutcome.Refused);

    [Test]
    public void A_reset_disables_interrupts_and_keeps_the_time()
    {
        Write(0x0b, 0x7a);
        _clock.Advance(3 * Second);
        _chip.Reset();

        _line.Level.Should().BeFalse();
        Read(0x0b).Should().Be(0x02);
        Read(0).Should().Be(0x01);
    }

    [Test]
    public void The_exchange_layout_is_byte_exact()
    {
        _clock.Advance((3 * Second) + 7);
        byte[] data = new byte[160];
        _chip.Read(new VmmDataRequest(VmmDataClass.Rtc, 1, data));

        data[..14].Should().Equal(1, 0, 0, 0, 0, 0, 5, 0x29, 2, 0x24, 0x20, 2, data[12], 0x80);
        data[0x32].Should().Be(0x20);
        data[128].Should().Be(13);
        BitConverter.ToInt64(data, 136).Should().Be(3 * Second);
        BitConverter.ToInt64(data, 144).Should().Be(new DateTimeOffset(2024, 2, 29, 0, 0, 1, TimeSpan.Zero).ToUnixTimeSeconds());
        BitConverter.ToInt64(data, 152).Should().Be(0);
    }

    private void Write(int register, int value)
    {
        _chip.Write(0x70, 1, (uint)register);
        _chip.Write(0x71, 1, (uint)value);
    }

    private byte Read(int register)
    {
        _chip.Write(0x70, 1, (uint)register);
        _chip.Read(0x71, 1, out uint value);
        return (byte)value;
    }
}
