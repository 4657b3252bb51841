// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class Uart16550Tests
{
    // Registers.
    private const int Rbr = 0;
    private const int Thr = 0;
    private const int Ier = 1;
    private const int Iir = 2;
    private const int Fcr = 2;
    private const int Lcr = 3;
    private const int Mcr = 4;
    private const int Lsr = 5;
    private const int Msr = 6;
    private const int Scr = 7;

    private const byte Dlab = 0x80;

    private RecordingLine _line = new();
    private RecordingWire _wire = new();
    private Uart16550 _uart = new(new RecordingLine(), new RecordingWire());

    [SetUp]
    public void CreateChip()
    {
        _line = new RecordingLine();
        _wire = new RecordingWire();
        _uart = new Uart16550(_line, _wire);
    }

    [TestCase(Ier, 0x00)]
    [TestCase(Iir, 0x01)]
    [TestCase(Lcr, 0x00)]
    [TestCase(Mcr, 0x00)]
    [TestCase(Lsr, 0x60)]
    [TestCase(Msr, 0x00)]
    [TestCase(Scr, 0x00)]
    [TestCase(8, 0xff)]
    [TestCase(-1, 0xff)]
    public void Register_has_its_value_after_reset(int register, byte expected) =>
        _uart.Read(register).Should().Be(expected);

    [TestCase(Ier, 0xff, 0x0f)]
    [TestCase(Lcr, 0x7f, 0x7f)]
    [TestCase(Mcr, 0xff, 0x1f)]
    [TestCase(Scr, 0xa5, 0xa5)]
    public void Register_keeps_the_bits_it_has(int register, byte written, byte expected)
    {
        _uart.Write(register, written);

        _uart.Read(register).Should().Be(expected);
    }

    [TestCase(Lsr)]
    [TestCase(Msr)]
    [TestCase(8)]
    public void Write_to_a_read_only_register_changes_nothing(int register)
    {
        UartState before = _uart.Save();

        _uart.Write(register, 0xff);

        _uart.Save().Should().Be(before);
    }

    [Test]
    public void Divisor_latch_hides_data_and_interrupt_enable()
    {
        _uart.Write(Ier, 0x05);
        _uart.Write(Lcr, Dlab | 3);
        _uart.Write(0, 0x34);
        _uart.Write(1, 0x12);

        _uart.Read(0).Should().Be(0x34);
        _uart.Read(1).Should().Be(0x12);
        _uart.Divisor.Should().Be(0x1234);
        _wire.Sent.Should().BeEmpty();

        _uart.Write(Lcr, 3);
        _uart.Read(Ier).Should().Be(0x05);
    }

    [Test]
    public void Character_is_sent_and_the_transmitter_stays_empty()
    {
        _uart.Write(Thr, (byte)'A');

        _wire.Sent.Should().Equal((byte)'A');
        _uart.Read(Lsr).Should().Be(0x60);
    }

    [Test]
    public void Received_character_shows_as_data_ready_until_it_is_read()
    {
        _uart.Receive((byte)'x');

        _uart.Read(Lsr).Should().Be(0x61);
        _uart.Read(Rbr).Should().Be((byte)'x');
        _uart.Read(Lsr).Should().Be(0x60);
        _uart.Read(Rbr).Should().Be(0, "nothing is there");
    }

    [TestCase(0x01, 1)]
    [TestCase(0x41, 4)]
    [TestCase(0x81, 8)]
    [TestCase(0xc1, 14)]
    public void Receive_interrupt_comes_at_the_trigger_level_and_timeout_below_it(byte control, int level)
    {
        _uart.Write(Fcr, control);
        _uart.Write(Ier, 1);

        Receive(level - 1);
        _uart.Read(Iir).Should().Be((byte)(level == 1 ? 0xc1 : 0xcc));
        _uart.Receive(0);
        _uart.Read(Iir).Should().Be(0xc4);
        _line.Level.Should().BeTrue();
    }

    [Test]
    public void Timeout_stays_until_the_last_character_is_read()
    {
        _uart.Write(Fcr, 0xc1);
        _uart.Write(Ier, 1);
        Receive(2);

        _uart.Read(Rbr);
        _uart.Read(Iir).Should().Be(0xcc);
        _uart.Read(Rbr);
        _uart.Read(Iir).Should().Be(0xc1);
        _line.Level.Should().BeFalse();
    }

    [Test]
    public void Without_fifos_one_character_raises_the_receive_interrupt()
    {
        _uart.Write(Ier, 1);
        _uart.Receive(1);

        _uart.Read(Iir).Should().Be(0x04);
        _uart.ReceiveRoom.Should().Be(0);
    }

    [Test]
    public void Without_fifos_an_overrun_replaces_the_unread_character()
    {
        _uart.Receive(1);
        _uart.Receive(2);

        _uart.Read(Lsr).Should().Be(0x63);
        _uart.Read(Rbr).Should().Be(2);
        _uart.Read(Lsr).Should().Be(0x60);
    }

    [Test]
    public void With_fifos_an_overrun_loses_the_new_character()
    {
        _uart.Write(Fcr, 1);
        Receive(16);
        _uart.ReceiveRoom.Should().Be(0);

        _uart.Receive(99);

        _uart.Read(Lsr).Should().Be(0x63);
        ReadCharacters(16).Should().Equal(Enumerable.Range(0, 16).Select(static value => (byte)value));
        _uart.Read(Lsr).Should().Be(0x60);
    }

    [Test]
    public void Errors_show_when_their_character_reaches_the_top()
    {
        _uart.Write(Fcr, 1);
        _uart.Receive(1);
        _uart.Receive(2, UartLineErrors.Parity);
        _uart.Receive(0, UartLineErrors.Break | UartLineErrors.Framing);

        _uart.Read(Lsr).Should().Be(0xe1, "there is an error in the FIFO, not at its top");
        _uart.Read(Rbr);
        _uart.Read(Lsr).Should().Be(0xe5);
        _uart.Read(Lsr).Should().Be(0xe1, "reading takes the error away, but another is behind it");
        _uart.Read(Rbr);
        _uart.Read(Lsr).Should().Be(0xf9);
        _uart.Read(Lsr).Should().Be(0x61);
    }

    [Test]
    public void Overrun_cannot_be_put_onto_a_character()
    {
        _uart.Receive(1, UartLineErrors.Overrun);

        _uart.Read(Lsr).Should().Be(0x61);
    }

    [Test]
    public void Fifo_enable_shows_in_identification_and_trigger_bits_need_it()
    {
        _uart.Write(Fcr, 0xc0);
        _uart.Read(Iir).Should().Be(0x01);
        _uart.Write(Fcr, 0x01);
        _uart.Read(Iir).Should().Be(0xc1);
        _uart.Save().FifoControl.Should().Be(0x01);
    }

    [TestCase(0x03, "the reset bit empties the receiver")]
    [TestCase(0x00, "leaving FIFO mode empties it")]
    public void Fifo_is_emptied(byte control, string why)
    {
        _uart.Write(Fcr, 0x01);
        _uart.Write(Ier, 1);
        Receive(5);

        _uart.Write(Fcr, control);

        _uart.Read(Lsr).Should().Be(0x60, why);
        _line.Level.Should().BeFalse();
    }

    [Test]
    public void Fifo_keeps_its_characters_when_only_the_trigger_level_changes()
    {
        _uart.Write(Fcr, 0x01);
        Receive(3);

        _uart.Write(Fcr, 0x85);

        ReadCharacters(3).Should().Equal(0, 1, 2);
        _uart.Save().FifoControl.Should().Be(0x81, "the reset bits clear themselves");
    }

    [Test]
    public void Entering_fifo_mode_empties_the_receiver()
    {
        _uart.Receive(1);

        _uart.Write(Fcr, 0x01);

        _uart.Read(Lsr).Should().Be(0x60);
    }

    [Test]
    public void Transmitter_interrupt_comes_with_its_enable_bit_and_goes_with_identification()
    {
        _uart.Write(Ier, 2);

        _line.Level.Should().BeTrue();
        _uart.Read(Iir).Should().Be(0x02);
        _line.Level.Should().BeFalse();
        _uart.Read(Iir).Should().Be(0x01);
    }

    [Test]
    public void Transmitter_interrupt_is_not_raised_again_by_an_enable_bit_that_is_set_already()
    {
        _uart.Write(Ier, 2);
        _uart.Read(Iir);

        _uart.Write(Ier, 3);

        _uart.Read(Iir).Should().Be(0x01);
    }

    [Test]
    public void Each_written_character_takes_the_transmitter_interrupt_back_and_raises_it_again()
    {
        _uart.Write(Ier, 2);

        _uart.Write(Thr, 1);

        _line.Changes.Should().Equal(true, false, true);
    }

    [Test]
    public void Identification_of_another_source_does_not_acknowledge_the_transmitter()
    {
        _uart.Write(Ier, 3);
        _uart.Receive(1);

        _uart.Read(Iir).Should().Be(0x04);
        _uart.Read(Rbr);
        _uart.Read(Iir).Should().Be(0x02);
    }

    [Test]
    public void Sources_are_identified_by_priority()
    {
        _uart.Write(Ier, 0x0f);
        _uart.SetModemInputs(UartModemInputs.ClearToSend);
        _uart.Receive(1, UartLineErrors.Framing);

        _uart.Read(Iir).Should().Be(0x06);
        _uart.Read(Lsr).Should().Be(0x69);
        _uart.Read(Iir).Should().Be(0x04);
        _uart.Read(Rbr);
        _uart.Read(Iir).Should().Be(0x02);
        _uart.Read(Iir).Should().Be(0x00);
        _uart.Read(Msr).Should().Be(0x11);
        _uart.Read(Iir).Should().Be(0x01);
        _line.Changes.Should().Equal(true, false);
    }

    [TestCase(0x01)]
    [TestCase(0x02)]
    [TestCase(0x04)]
    [TestCase(0x08)]
    public void Source_that_is_not_enabled_raises_nothing(byte enabled)
    {
        _uart.Write(Ier, (byte)(~enabled & 0x0f));
        _uart.Write(Ier, 0);
        _uart.SetModemInputs(UartModemInputs.ClearToSend);
        _uart.Receive(1, UartLineErrors.Framing);

        _line.Level.Should().BeFalse();
        _uart.Write(Ier, enabled);
        _line.Level.Should().BeTrue();
    }

    [Test]
    public void Break_control_drives_the_line()
    {
        _uart.Write(Lcr, 0x43);
        _uart.Write(Lcr, 0x43);
        _uart.Write(Lcr, 0x03);

        _wire.Breaks.Should().Equal(true, false);
    }

    [Test]
    public void Reset_keeps_scratch_divisor_and_inputs_and_lets_go_of_the_interrupt()
    {
        _uart.SetModemInputs(UartModemInputs.CarrierDetect);
        _uart.Write(Scr, 7);
        _uart.Write(Mcr, 0x0b);
        _uart.Write(Lcr, 0x43);
        _uart.Write(Ier, 0x0f);
        _uart.Receive(1);

        _uart.Reset();

        _line.Level.Should().BeFalse();
        _wire.Breaks.Should().Equal(true, false);
        _wire.Outputs.Should().EndWith(UartModemOutputs.None);
        _uart.Read(Scr).Should().Be(7);
        _uart.Divisor.Should().Be(12);
        _uart.Read(Msr).Should().Be(0x80);
        _uart.Read(Iir).Should().Be(0x01);
    }

    private void Receive(int count)
    {
        for (int value = 0; value < count; value++)
        {
            _uart.Receive((byte)value);
        }
    }

    private byte[] ReadCharacters(int count) => [.. Enumerable.Range(0, count).Select(_ => _uart.Read(Rbr))];
}
