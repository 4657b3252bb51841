// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class Uart16550LoopbackTests
{
    private const int Rbr = 0;
    private const int Thr = 0;
    private const int Ier = 1;
    private const int Iir = 2;
    private const int Fcr = 2;
    private const int Lcr = 3;
    private const int Mcr = 4;
    private const int Lsr = 5;
    private const int Msr = 6;

    private const byte Loop = 0x10;

    private RecordingWire _wire = new();
    private Uart16550 _uart = new(new RecordingLine(), new RecordingWire());

    [SetUp]
    public void CreateChip()
    {
        _wire = new RecordingWire();
        _uart = new Uart16550(new RecordingLine(), _wire);
    }

    [TestCase(UartModemInputs.ClearToSend, 0x11, 0x01)]
    [TestCase(UartModemInputs.DataSetReady, 0x22, 0x02)]
    [TestCase(UartModemInputs.RingIndicator, 0x40, 0x04)]
    [TestCase(UartModemInputs.CarrierDetect, 0x88, 0x08)]
    public void Modem_input_shows_its_level_and_its_change(UartModemInputs input, byte risen, byte fallen)
    {
        _uart.SetModemInputs(input);
        _uart.Read(Msr).Should().Be(risen);
        _uart.Read(Msr).Should().Be((byte)(risen & 0xf0));
        _uart.SetModemInputs(UartModemInputs.None);
        _uart.Read(Msr).Should().Be(fallen);
    }

    [Test]
    public void Loopback_returns_characters_and_sends_none()
    {
        _uart.Write(Lcr, 3);
        _uart.Write(Mcr, Loop);
        _uart.Write(Thr, 0xa5);

        _wire.Sent.Should().BeEmpty();
        _uart.Read(Rbr).Should().Be(0xa5);
    }

    [TestCase(0, 0x1f)]
    [TestCase(1, 0x3f)]
    [TestCase(2, 0x7f)]
    [TestCase(3, 0xff)]
    public void Loopback_carries_as_many_bits_as_the_word_has(byte word, byte expected)
    {
        _uart.Write(Lcr, word);
        _uart.Write(Mcr, Loop);
        _uart.Write(Thr, 0xff);

        _uart.Read(Rbr).Should().Be(expected);
    }

    [TestCase(0x01, 0x20)]
    [TestCase(0x02, 0x10)]
    [TestCase(0x04, 0x40)]
    [TestCase(0x08, 0x80)]
    public void Loopback_wires_modem_outputs_to_inputs(byte output, byte input)
    {
        _uart.SetModemInputs(UartModemInputs.ClearToSend | UartModemInputs.DataSetReady);

        _uart.Write(Mcr, (byte)(Loop | output));

        (_uart.Read(Msr) & 0xf0).Should().Be(input);
    }

    [Test]
    public void Loopback_raises_modem_interrupts_from_the_control_register()
    {
        _uart.Write(Mcr, Loop);
        _uart.Read(Msr);
        _uart.Write(Ier, 8);

        _uart.Write(Mcr, Loop | 2);

        _uart.Read(Iir).Should().Be(0x00);
        _uart.Read(Msr).Should().Be(0x11);
    }

    [Test]
    public void Loopback_hides_the_lines_and_drops_the_outputs()
    {
        _uart.Write(Mcr, 0x0b);
        _uart.Write(Mcr, Loop | 0x0b);
        _uart.Receive(1);

        _uart.Read(Lsr).Should().Be(0x60);
        _uart.ReceiveRoom.Should().Be(0);
        _wire.Outputs.Should().Equal((UartModemOutputs)0x0b, UartModemOutputs.None);
    }

    [Test]
    public void Loopback_overruns_when_the_fifo_is_full()
    {
        _uart.Write(Fcr, 1);
        _uart.Write(Mcr, Loop);
        for (int count = 0; count < 17; count++)
        {
            _uart.Write(Thr, (byte)count);
        }

        _uart.Read(Lsr).Should().Be(0x63);
    }
}
