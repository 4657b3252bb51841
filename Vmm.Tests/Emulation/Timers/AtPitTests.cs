// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class AtPitTests
{
    private const long Second = 1_000_000_000;
    private ManualClock _clock = null!;
    private TimedLine _line = null!;
    private AtPit _chip = null!;

    [SetUp]
    public void PowerOn()
    {
        _clock = new(now: 1_234_567);
        _line = new(_clock);
        _chip = new(_clock, _clock.Deadlines, _line);
    }

    [Test]
    public void A_rate_generator_is_exact_over_a_thousand_seconds()
    {
        // Linux's HZ=1000 divisor; 1193182000 / 1193 periods end in a thousand seconds.
        Program(0x34, 1193);
        _line.Rises.Clear();
        long start = _clock.Now;
        long startTick = Tick(start);
        _clock.Advance(1000 * Second);

        _line.Rises.Should().HaveCount((int)((Tick(_clock.Now) - startTick - 1) / 1193));
        _line.Rises.Select(Tick).Should().Equal(Enumerable.Range(1, _line.Rises.Count).Select(period => startTick + 1 + (period * 1193L)));
    }

    [Test]
    public void A_count_of_zero_is_the_full_count()
    {
        Program(0x34, 0);
        _line.Rises.Clear();
        long start = Tick(_clock.Now);
        _clock.Advance(Second / 10);

        _line.Rises.Select(time => Tick(time) - start).Should().Equal(65537);
    }

    [Test]
    public void A_pause_gives_one_interrupt_for_all_that_were_missed()
    {
        Program(0x34, 1193);
        _line.Rises.Clear();
        _clock.Jump(3600 * Second);

        _line.Rises.Should().HaveCount(1);
        _line.Level.Should().BeTrue();
    }

    [Test]
    public void Counter_latch_survives_second_latch_command()
    {
        Program(0x34, 5000);
        _clock.Advance(1_000_000);
        _chip.Write(0x43, 1, 0x00);
        _clock.Advance(1_000_000);
        _chip.Write(0x43, 1, 0x00);

        // A millisecond is 1193 pulses, one of which loads.
        ReadWord(0x40).Should().Be(5000 - 1192);
    }

    [Test]
    public void Readback_gives_the_status_before_the_count()
    {
        Program(0xb6, 1000);
        _clock.Advance(1_000_000);
        _chip.Write(0x61, 1, 1);
        _chip.Write(0x43, 1, 0xc8);

        Read(0x42).Should().Be(0xb6, "OUT is high, the count is loaded, both bytes, mode 3");
        ReadWord(0x42).Should().BeInRange(1, 1000);
    }

    [Test]
    public void The_speaker_gate_starts_a_one_shot_that_port_61_shows()
    {
        Program(0xb0, 1193);
        _clock.Advance(Second);
        int closed = Read(0x61) & 0x20;
        _chip.Write(0x61, 1, 1);
        _clock.Advance(999_000);
        byte before = Read(0x61);
        _clock.Advance(2_000);

        closed.Should().Be(0, "the gate is closed");
        (before & 0x20).Should().Be(0);
        (Read(0x61) & 0x20).Should().Be(0x20);
    }

    [Test]
    public void The_refresh_bit_toggles_every_eighteen_pulses()
    {
        _clock.AdvanceTo(((_clock.Now / Second) + 1) * Second);
        int toggles = 0;
        int last = Read(0x61) & 0x10;
        for (int microsecond = 0; microsecond < 100_000; microsecond++)
        {
            _clock.Advance(1000);
            int bit = Read(0x61) & 0x10;
            toggles += bit != last ? 1 : 0;
            last = bit;
        }

        toggles.Should().BeInRange(6628, 6629);
    }

    [Test]
    public void Decimal_counting_wraps_at_ten_thousand()
    {
        Program(0x31, 0x0002);
        _clock.Advance(Pulses(4));

        ReadWord(0x40).Should().Be(0x9999);
    }

    [TestCase((ushort)0x43, 1)]
    [TestCase((ushort)0x40, 2)]
    [TestCase((ushort)0x42, 4)]
    public void What_the_chip_does_not_answer_is_refused(ushort port, int bytes) =>
        _chip.Read(port, bytes, out _).Should().Be(PortOutcome.Refused);

    [Test]
    public void Another_port_is_unclaimed() => _chip.Write(0x44, 1, 0).Should().Be(PortOutcome.Unclaimed);

    [Test]
    public void The_exchange_layout_is_byte_exact()
    {
        var clock = new ManualClock(now: 123_000_000);
        var chip = new AtPit(clock, clock.Deadlines, new TimedLine(clock));
        chip.Write(0x43, 1, 0x34);
        chip.Write(0x40, 1, 0x34);
        chip.Write(0x40, 1, 0x12);
        chip.Write(0x43, 1, 0x80);
        chip.Write(0x43, 1, 0xb8);
        chip.Write(0x42, 1, 0x77);
        byte[] data = new byte[72];
        chip.Read(new VmmDataRequest(VmmDataClass.AtPit, 1, data));

        // The load takes the pulse after the write, and the period ends 1234h pulses later.
        long target = ((Tick(clock.Now) + 1 + 0x1234) * Second / 1_193_182) + 1;
        data[..10].Should().Equal(0x34, 0x12, 0x34, 0x12, 0, 0, 0x40, 4, 0, 0);
        BitConverter.ToInt64(data, 16).Should().Be(target);
        data[48..58].Should().Equal(0, 0, 0x77, 0, 0, 0, 0x40, 8, 4, 0);
    }

    [Test]
    public void An_imported_counter_fires_at_its_target()
    {
        byte[] data = new byte[72];
        data[0] = 100;
        data[2] = 100;
        data[7] = 4;
        BitConverter.TryWriteBytes(data.AsSpan(16), _clock.Now + 50_000);
        long expected = Tick(_clock.Now + 50_000 - 1) + 1;
        _chip.Write(new VmmDataRequest(VmmDataClass.AtPit, 1, data)).Error.Should().Be(VmmError.None);
        _clock.Advance(100_000);

        _line.Rises.Select(Tick).Should().Equal(expected);
    }

    [Test]
    public void Unknown_flags_of_the_exchange_layout_are_refused()
    {
        byte[] data = new byte[72];
        data[8 + 24] = 0x20;

        _chip.Write(new VmmDataRequest(VmmDataClass.AtPit, 1, data)).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void A_state_of_another_version_is_refused()
    {
        Action restore = () => _chip.Restore(_chip.Save() with { Version = 2 });

        restore.Should().Throw<ArgumentException>();
    }

    private static long Tick(long nanoseconds) => (long)((UInt128)nanoseconds * 1_193_182 / 1_000_000_000);

    private static long Pulses(int count) => (count * Second / 1_193_182) + 1;

    private void Program(uint control, int count)
    {
        ushort port = (ushort)(0x40 + (control >> 6));
        _chip.Write(0x43, 1, control);
        _chip.Write(port, 1, (uint)count & 0xff);
        _chip.Write(port, 1, (uint)count >> 8);
    }

    private byte Read(ushort port)
    {
        _chip.Read(port, 1, out uint value);
        return (byte)value;
    }

    private int ReadWord(ushort port) => Read(port) | (Read(port) << 8);
}
