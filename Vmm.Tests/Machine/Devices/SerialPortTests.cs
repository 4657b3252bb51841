// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class SerialPortTests
{
    private const ushort Data = 0;
    private const ushort Ier = 1;
    private const ushort Fcr = 2;
    private const ushort Mcr = 4;
    private const ushort Lsr = 5;
    private const ushort Msr = 6;
    private const ushort Scr = 7;

    private readonly List<byte> _console = [];
    private RecordingLine _line = new();

    [SetUp]
    public void Clear()
    {
        _console.Clear();
        _line = new RecordingLine();
    }

    [Test]
    public void Output_reaches_the_console()
    {
        SerialPort port = Create();

        port.Write(Data, "H"u8);
        port.Write(Data, "i"u8);

        _console.Should().Equal("Hi"u8.ToArray());
    }

    [Test]
    public void Terminal_is_there_from_the_beginning_without_a_change()
    {
        SerialPort port = Create();

        Read(port, Msr).Should().Be(0xb0);
    }

    [Test]
    public void Input_beyond_the_fifo_waits_and_follows_without_overrun()
    {
        SerialPort port = Create();
        Write(port, Fcr, 1);
        byte[] input = [.. Enumerable.Range(0, 100).Select(static value => (byte)value)];

        port.QueueInput(input).Should().Be(100);

        port.PendingInput.Should().Be(84);
        byte[] received = [.. input.Select(_ => Read(port, Data))];
        received.Should().Equal(input);
        Read(port, Lsr).Should().Be(0x60);
    }

    [Test]
    public void Input_is_refused_when_the_queue_is_full_and_room_is_announced()
    {
        int announced = 0;
        SerialPort port = Create(new SerialPortOptions { InputCapacity = 4, OnInputRoom = () => announced++ });

        port.QueueInput(new byte[10]).Should().Be(5, "one went into the receiver");
        announced.Should().Be(0);
        Read(port, Data);
        Read(port, Data);
        announced.Should().Be(1);
        port.QueueInput(new byte[10]).Should().Be(2);
    }

    [Test]
    public void Input_waits_while_the_chip_is_in_loopback()
    {
        SerialPort port = Create();
        Write(port, Mcr, 0x10);

        port.QueueInput("a"u8);
        Read(port, Lsr).Should().Be(0x60);
        Write(port, Mcr, 0);

        Read(port, Data).Should().Be((byte)'a');
    }

    [Test]
    public void Break_is_received_as_one()
    {
        SerialPort port = Create();

        port.SendBreak();

        Read(port, Lsr).Should().Be(0x71);
    }

    [Test]
    public void Interrupt_needs_no_out2_by_default()
    {
        SerialPort port = Create();

        Write(port, Ier, 2);

        _line.Level.Should().BeTrue();
    }

    [Test]
    public void Interrupt_is_connected_by_out2_when_asked()
    {
        SerialPort port = Create(new SerialPortOptions { GateInterruptWithOut2 = true });
        Write(port, Ier, 2);
        _line.Level.Should().BeFalse();

        Write(port, Mcr, 8);
        _line.Level.Should().BeTrue();
        Write(port, Mcr, 0x18);
        _line.Level.Should().BeFalse("loopback lets go of OUT2");
    }

    [Test]
    public void Wide_access_covers_adjoining_registers_and_reads_ones_behind_the_window()
    {
        SerialPort port = Create();
        byte[] data = new byte[4];

        port.Write(Msr, [0xff, 0x5a, 0x11, 0x22]);
        port.Read(Msr, data);

        data.Should().Equal(0xb0, 0x5a, 0xff, 0xff);
        Read(port, Scr).Should().Be(0x5a);
    }

    [Test]
    public void State_carries_chip_and_waiting_input()
    {
        SerialPort port = Create();
        Write(port, Fcr, 0xc1);
        Write(port, Ier, 1);
        port.QueueInput([.. Enumerable.Range(0, 40).Select(static value => (byte)value)]);
        SerialPort copy = Create();

        copy.Restore(port.Save());

        copy.Save().Chip.Should().Be(port.Save().Chip);
        copy.Save().Input.ToArray().Should().Equal(port.Save().Input.ToArray());
        copy.PendingInput.Should().Be(24);
    }

    [Test]
    public void State_of_another_version_is_refused()
    {
        SerialPort port = Create();
        Action restore = () => port.Restore(port.Save() with { Version = 9 });

        restore.Should().Throw<ArgumentException>();
    }

    [Test]
    public void Reset_keeps_queued_input()
    {
        SerialPort port = Create();
        port.QueueInput("abc"u8);

        port.Reset();

        Read(port, Data).Should().Be((byte)'b', "the receiver lost its character, the queue did not");
    }

    private static byte Read(SerialPort port, ushort offset)
    {
        Span<byte> data = stackalloc byte[1];
        port.Read(offset, data);
        return data[0];
    }

    private static void Write(SerialPort port, ushort offset, byte value) => port.Write(offset, [value]);

    private SerialPort Create(SerialPortOptions? options = null) => new(_line, new ListSink(_console), options);

    private sealed class ListSink(List<byte> bytes) : IConsoleSink
    {
        public void Write(ReadOnlySpan<byte> data) => bytes.AddRange(data);
    }
}
