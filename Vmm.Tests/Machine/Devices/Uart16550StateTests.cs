// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class Uart16550StateTests
{
    private RecordingLine _line = new();
    private Uart16550 _uart = new(new RecordingLine(), new RecordingWire());

    [SetUp]
    public void CreateChip()
    {
        _line = new RecordingLine();
        _uart = new Uart16550(_line, new RecordingWire());
    }

    [Test]
    public void Restored_chip_equals_the_saved_one_at_any_point([Range(0, 19)] int seed)
    {
        Random random = new(seed);
        for (int step = 0; step < 500; step++)
        {
            Disturb(_uart, random);
            RecordingLine line = new();
            Uart16550 copy = new(line, new RecordingWire());

            copy.Restore(_uart.Save());

            copy.Save().Should().Be(_uart.Save());
            line.Level.Should().Be(_line.Level);
            _uart.InterruptAsserted.Should().Be(_line.Level);
        }
    }

    [Test]
    public void Restored_chip_goes_on_like_the_saved_one([Range(20, 24)] int seed)
    {
        Random random = new(seed);
        Repeat(100, () => Disturb(_uart, random));
        Uart16550 copy = new(new RecordingLine(), new RecordingWire());
        copy.Restore(_uart.Save());
        Random left = new(seed);
        Random right = new(seed);

        Repeat(500, () => Disturb(_uart, left).Should().Be(Disturb(copy, right)));
        copy.Save().Should().Be(_uart.Save());
    }

    [TestCase(2, 0)]
    [TestCase(1, 2)]
    public void State_that_no_chip_can_have_is_refused(int version, byte count)
    {
        Action restore = () => _uart.Restore(new UartState { Version = version, ReceiveCount = count });

        restore.Should().Throw<ArgumentException>();
    }

    private static void Repeat(int count, Action action)
    {
        for (int index = 0; index < count; index++)
        {
            action();
        }
    }

    private static int Disturb(Uart16550 uart, Random random)
    {
        int register = random.Next(8);
        byte value = (byte)random.Next(256);
        switch (random.Next(8))
        {
            case < 3:
                return uart.Read(register);
            case < 6:
                uart.Write(register, value);
                return 0;
            case 6:
                uart.Receive(value, random.Next(3) == 0 ? (UartLineErrors)value : UartLineErrors.None);
                return 0;
            default:
                uart.SetModemInputs((UartModemInputs)value);
                return 0;
        }
    }
}
