// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Emulation.Interrupts;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>What the 8259A data sheet says and KVM does not do, and the contract of the pair.</summary>
[TestFixture]
public sealed class AtPicTests
{
    private const byte MasterBase = 0x30;
    private const byte SlaveBase = 0x70;

    private readonly RecordingLine _output = new();
    private AtPic _pic = null!;

    [SetUp]
    public void Initialize()
    {
        _output.Level = false;
        _pic = new AtPic(_output);
        Initialize(icw4: 1);
    }

    [Test]
    public void Request_raises_the_output_and_gives_its_vector()
    {
        _pic.AssertIrq(4);

        _output.Level.Should().BeTrue();
        _pic.Acknowledge().Should().Be(MasterBase + 4);
        _output.Level.Should().BeFalse();
    }

    [Test]
    public void Request_of_the_second_chip_gives_its_vector()
    {
        _pic.AssertIrq(12);

        _pic.Acknowledge().Should().Be(SlaveBase + 4);
    }

    [Test]
    public void Request_that_has_gone_is_spurious_7()
    {
        _pic.SetTrigger(5, level: true);
        _pic.AssertIrq(5);
        _pic.DeassertIrq(5);

        _pic.Acknowledge().Should().Be(MasterBase + 7);
        Read(0x20, ocw3: 0x0b).Should().Be(0, "a spurious interrupt is not in service");
    }

    [Test]
    public void Request_that_the_second_chip_has_lost_is_spurious_15()
    {
        _pic.SetTrigger(10, level: true);
        _pic.AssertIrq(10);
        _pic.DeassertIrq(10);

        _pic.Acknowledge().Should().Be(SlaveBase + 7);
    }

    [Test]
    public void Ends_of_interrupts_are_told_and_a_request_that_falls_then_does_not_interrupt_again()
    {
        List<int> ended = [];
        _pic = new AtPic(_output, request =>
        {
            ended.Add(request);
            _pic.DeassertIrq(request);
        });
        Initialize(icw4: 1);
        _pic.SetTrigger(5, level: true);
        _pic.SetTrigger(11, level: true);
        _pic.AssertIrq(5);
        _pic.AssertIrq(11);

        _pic.Acknowledge().Should().Be(SlaveBase + 3);
        Write(0x20, 0x60 | 4);
        ended.Should().BeEmpty("request 4 is not in service");
        Write(0xa0, 0x20);
        Write(0x20, 0x20);
        _pic.Acknowledge().Should().Be(MasterBase + 5);
        Write(0x20, 0x20);

        ended.Should().Equal(11, 5);
        _output.Level.Should().BeFalse();
    }

    [Test]
    public void Automatic_end_of_an_interrupt_is_told_at_its_acknowledgement()
    {
        List<int> ended = [];
        _pic = new AtPic(_output, ended.Add);
        Initialize(icw4: 3);
        _pic.AssertIrq(6);

        _pic.Acknowledge();

        ended.Should().Equal(6);
    }

    [Test]
    public void Poll_acknowledges()
    {
        _pic.AssertIrq(3);
        Write(0x20, 0x0c);

        In(0x20).Should().Be(0x83);
        Read(0x20, ocw3: 0x0b).Should().Be(1 << 3);
    }

    [Test]
    public void Poll_of_an_idle_chip_gives_zero()
    {
        Write(0x20, 0x0c);

        In(0x20).Should().Be(0);
    }

    [Test]
    public void Polled_request_of_the_second_chip_leaves_no_spurious_one()
    {
        _pic.AssertIrq(9);
        Write(0x20, 0x0c);
        byte first = In(0x20);
        Write(0xa0, 0x0c);
        byte second = In(0xa0);
        Write(0xa0, 0x20);
        Write(0x20, 0x20);

        (first, second).Should().Be(((byte)0x82, (byte)0x81));
        _output.Level.Should().BeFalse();
    }

    [Test]
    public void Special_mask_mode_lets_lower_levels_through_a_masked_one_in_service()
    {
        _pic.AssertIrq(3);
        _pic.Acknowledge();
        _pic.AssertIrq(6);
        bool before = _output.Level;
        Write(0x21, 1 << 3);
        Write(0x20, 0x68);

        before.Should().BeFalse();
        _output.Level.Should().BeTrue();
        _pic.Acknowledge().Should().Be(MasterBase + 6);
    }

    [Test]
    public void Special_mask_mode_keeps_masked_levels_from_a_nonspecific_end()
    {
        _pic.AssertIrq(3);
        _pic.Acknowledge();
        Write(0x21, 1 << 3);
        Write(0x20, 0x68);
        Write(0x20, 0x20);

        Read(0x20, ocw3: 0x0b).Should().Be(1 << 3);
    }

    [Test]
    public void Special_fully_nested_mode_frees_the_second_chip_only()
    {
        Initialize(icw4: 0x11);
        _pic.AssertIrq(12);
        _pic.Acknowledge();
        _pic.AssertIrq(3);
        bool lower = _output.Level;
        _pic.AssertIrq(9);

        lower.Should().BeFalse("request 3 of the first chip is below its pin 2");
        _pic.Acknowledge().Should().Be(SlaveBase + 1);
    }

    [Test]
    public void Automatic_end_rotates_when_told()
    {
        Initialize(icw4: 3);
        Write(0x20, 0x80);
        _pic.PulseIrq(1);
        _pic.Acknowledge();
        _pic.PulseIrq(1);
        _pic.PulseIrq(6);

        _pic.Acknowledge().Should().Be(MasterBase + 6, "request 1 has become the lowest");
    }

    [Test]
    public void Shared_level_line_stays_up_until_the_last_device_lets_go()
    {
        _pic.SetTrigger(11, level: true);
        _pic.AssertIrq(11);
        _pic.AssertIrq(11);
        _pic.DeassertIrq(11);
        bool one = _output.Level;
        _pic.DeassertIrq(11);
        _pic.Acknowledge();

        one.Should().BeTrue();
        Read(0xa0, ocw3: 0x0a).Should().Be(0);
    }

    [TestCase(0x13, Description = "single chip")]
    [TestCase(0x10, Description = "no ICW4")]
    public void Initialization_that_no_PC_has_is_refused(byte icw1) =>
        _pic.WritePort(0x20, 1, icw1).Should().Be(PortOutcome.Refused);

    [Test]
    public void Wider_accesses_are_refused()
    {
        _pic.ReadPort(0x20, 2, out _).Should().Be(PortOutcome.Refused);
        _pic.WritePort(0x21, 4, 0).Should().Be(PortOutcome.Refused);
    }

    [Test]
    public void Calls_are_refused_by_the_documented_errors()
    {
        ErrorOf(() => _pic.AssertIrq(16)).Should().Be(VmmError.EINVAL);
        ErrorOf(() => _pic.PulseIrq(-1)).Should().Be(VmmError.EINVAL);
        ErrorOf(() => _pic.DeassertIrq(3)).Should().Be(VmmError.ERANGE);
        ErrorOf(() => _pic.SetTrigger(8, level: true)).Should().Be(VmmError.EINVAL);
        ErrorOf(() => _pic.SetTrigger(8, level: false)).Should().Be(VmmError.None);
    }

    internal static VmmError ErrorOf(Action action)
    {
        try
        {
            action();
            return VmmError.None;
        }
        catch (VmmException exception)
        {
            return exception.Error;
        }
    }

    private void Initialize(byte icw4)
    {
        (ushort Port, byte Value)[] words =
        [
            (0x20, 0x11), (0x21, MasterBase), (0x21, 4), (0x21, icw4),
            (0xa0, 0x11), (0xa1, SlaveBase), (0xa1, 2), (0xa1, 1),
        ];
        foreach ((ushort port, byte value) in words)
        {
            Write(port, value);
        }
    }

    private void Write(ushort port, byte value) => _pic.WritePort(port, 1, value).Should().Be(PortOutcome.Handled);

    private byte In(ushort port)
    {
        _pic.ReadPort(port, 1, out uint value).Should().Be(PortOutcome.Handled);
        return (byte)value;
    }

    private byte Read(ushort port, byte ocw3)
    {
        Write(port, ocw3);
        return In(port);
    }

    private sealed class RecordingLine : IInterruptLine
    {
        public bool Level { get; set; }

        public void SetLevel(bool asserted) => Level = asserted;
    }
}
