// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class IsaDebugExitTests
{
    [TestCase(new byte[] { 0 }, 1)]
    [TestCase(new byte[] { 0x10 }, 0x21)]
    [TestCase(new byte[] { 0xff, 0x01 }, 0x3ff)]
    [TestCase(new byte[] { 0xff, 0xff, 0xff, 0xff, 0xff }, -1)]
    public void Written_value_becomes_an_odd_exit_code(byte[] data, int expected)
    {
        List<int> codes = [];
        IsaDebugExit device = new(codes.Add);

        device.Write(0, data);

        codes.Should().Equal(expected);
    }

    [Test]
    public void Value_reads_back()
    {
        IsaDebugExit device = new(static _ => { }, port: 0x501);
        device.Write(0, [0x34, 0x12]);
        byte[] data = [9, 9, 9, 9, 9];

        device.Read(0, data);

        device.Port.Should().Be(0x501);
        data.Should().Equal(0x34, 0x12, 0, 0, 0);
    }

    [Test]
    public void Port_must_leave_room_for_the_window()
    {
        Func<IsaDebugExit> create = static () => new IsaDebugExit(static _ => { }, 0xfffd);

        create.Should().Throw<ArgumentOutOfRangeException>();
    }
}
