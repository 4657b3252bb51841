// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Emulation.Timers;
using Vmm.Machine.Devices;
using Vmm.Machine.Replay;
using Vmm.Tests.Machine.Devices;

namespace Vmm.Tests.Machine.Replay;

/// <summary>Console input that is recorded and played.</summary>
public sealed class InputRecordingTests
{
    private const ushort LineStatus = 5;
    private const long Interval = InputRecording.Interval;

    [Test]
    public void Recording_reads_back_as_it_was_written()
    {
        InputEvent[] inputs = [new(2 * Interval, [1, 0xff]), new(9 * Interval, [13])];
        string text = InputRecording.FormatHead(77) + InputRecording.Format(inputs[0]) + InputRecording.Format(inputs[1])
            + InputRecording.FormatEnd("all well");

        InputRecording read = InputRecording.Parse(new StringReader(text));

        read.Seed.Should().Be(77);
        read.End.Should().Be("all well");
        read.Inputs.Should().BeEquivalentTo(inputs, options => options.WithStrictOrdering());
    }

    [Test]
    public void Recording_that_was_cut_short_is_complete_up_to_there() =>
        InputRecording.Parse(new StringReader("vmm input 1\nseed 1\ninput 1000000 61\n")).Should()
            .Match<InputRecording>(recording => recording.End == null && recording.Inputs.Length == 1);

    [TestCase("", "begin")]
    [TestCase("vmm input 2\nseed 1", "begin")]
    [TestCase("vmm input 1\n", "no seed")]
    [TestCase("vmm input 1\nseed -1", "line 2")]
    [TestCase("vmm input 1\nseed 1\nseed 2", "line 3")]
    [TestCase("vmm input 1\nseed 1\ninput 1 61", "line 3", Description = "no multiple of the interval")]
    [TestCase("vmm input 1\nseed 1\ninput 1000000 6", "line 3")]
    [TestCase("vmm input 1\nseed 1\ninput 1000000 6g", "line 3")]
    [TestCase("vmm input 1\nseed 1\ninput 1000000 ", "line 3")]
    [TestCase("vmm input 1\nseed 1\ninput 2000000 61\ninput 1000000 61", "line 4")]
    [TestCase("vmm input 1\nseed 1\nend x\ninput 1000000 61", "line 4")]
    [TestCase("vmm input 1\nseed 1\nwhat", "line 3")]
    public void What_is_no_recording_is_refused(string text, string reason)
    {
        Action parse = () => InputRecording.Parse(new StringReader(text));
        parse.Should().Throw<FormatException>().WithMessage($"*{reason}*");
    }

    [Test]
    public void Input_reaches_the_port_at_the_next_tick_and_is_recorded_there()
    {
        ManualClock clock = new();
        SerialPort port = MakePort();
        List<InputEvent> recorded = [];
        InputRecorder recorder = new(clock, port, recorded.Add);
        clock.Advance(Interval + 5);

        recorder.Queue(Encoding.ASCII.GetBytes("hi")).Should().Be(2);
        HasInput(port).Should().BeFalse("the guest sees it at a time that can be repeated");
        clock.Advance(Interval);

        HasInput(port).Should().BeTrue();
        recorded.Should().ContainSingle().Which.Time.Should().Be(2 * Interval);
    }

    [Test]
    public void Input_that_the_port_has_no_room_for_waits_and_is_recorded_when_it_is_taken()
    {
        ManualClock clock = new();
        SerialPort port = MakePort(capacity: 4);
        List<InputEvent> recorded = [];
        int rooms = 0;
        InputRecorder recorder = new(clock, port, recorded.Add, () => rooms++);

        int taken = recorder.Queue(new byte[5000]);
        clock.Advance(Interval);
        clock.Advance(Interval);
        port.Read(0, new byte[1]);
        clock.Advance(Interval);

        taken.Should().Be(4096);
        rooms.Should().Be(1);
        recorded.Select(input => input.Time).Should().Equal(Interval, 3 * Interval);
        recorded.Sum(input => input.Data.Length).Should().BeLessThan(10);
    }

    [Test]
    public void Player_gives_the_input_at_its_times()
    {
        ManualClock clock = new();
        SerialPort port = MakePort();
        InputPlayer player = new(clock, port, new InputRecording { Inputs = [new(3 * Interval, [0x61])] });

        clock.Advance((3 * Interval) - 1);
        HasInput(port).Should().BeFalse();
        clock.Advance(1);

        HasInput(port).Should().BeTrue();
        player.HasDiverged.Should().BeFalse();
    }

    [Test]
    public void Player_notices_a_port_that_takes_less_than_then()
    {
        ManualClock clock = new();
        InputPlayer player = new(
            clock, MakePort(capacity: 1), new InputRecording { Inputs = [new(Interval, [.. new byte[40]])] });

        clock.Advance(Interval);

        player.HasDiverged.Should().BeTrue();
    }

    private static SerialPort MakePort(int capacity = 1024) =>
        new(new RecordingLine(), new StreamConsoleSink(Stream.Null), new SerialPortOptions { InputCapacity = capacity });

    private static bool HasInput(SerialPort port)
    {
        byte[] status = new byte[1];
        port.Read(LineStatus, status);
        return (status[0] & 1) != 0;
    }
}
