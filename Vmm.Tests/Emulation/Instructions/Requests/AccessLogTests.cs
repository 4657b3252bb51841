// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Requests;

namespace Vmm.Tests.Emulation.Instructions.Requests;

/// <summary>The status machine of accesses that somebody else may have to serve.</summary>
public sealed class AccessLogTests
{
    private static readonly DeviceAccess s_read = new(AccessKind.MemoryRead, 0x1000, 4, 0);

    private AccessLog _log = new();

    [SetUp]
    public void Create() => _log = new AccessLog();

    [Test]
    public void A_fulfilled_read_is_answered_when_the_instruction_is_executed_again()
    {
        _log.Suspend(s_read);
        _log.Status.Should().Be(RequestStatus.Pending);
        _log.TryFulfill(AccessKind.MemoryRead, 0x1000, 4, 0x11_2233_4455).Should().BeTrue();
        _log.Status.Should().Be(RequestStatus.Fulfilled);
        _log.Begin();
        Span<byte> data = stackalloc byte[4];

        _log.TryReplay(AccessKind.MemoryRead, 0x1000, data).Should().BeTrue();

        data.ToArray().Should().Equal(0x55, 0x44, 0x33, 0x22);
        _log.TryReplay(AccessKind.MemoryRead, 0x1000, data).Should().BeFalse("it was made once");
    }

    [TestCase(AccessKind.MemoryWrite, 0x1000ul, 4)]
    [TestCase(AccessKind.PortIn, 0x1000ul, 4)]
    [TestCase(AccessKind.MemoryRead, 0x1004ul, 4)]
    [TestCase(AccessKind.MemoryRead, 0x1000ul, 2)]
    public void An_answer_to_something_else_is_refused(AccessKind kind, ulong address, int length)
    {
        _log.Suspend(s_read);

        _log.TryFulfill(kind, address, length, 1).Should().BeFalse();

        _log.Status.Should().Be(RequestStatus.Pending);
    }

    [Test]
    public void Nothing_is_fulfilled_where_nothing_waits() =>
        _log.TryFulfill(AccessKind.MemoryRead, 0x1000, 4, 1).Should().BeFalse();

    [Test]
    public void Accesses_are_answered_in_their_order()
    {
        _log.Record(new(AccessKind.PortIn, 0x60, 1, 0xaa));
        _log.Record(new(AccessKind.PortIn, 0x60, 1, 0xbb));
        _log.Record(new(AccessKind.PortOut, 0x80, 1, 0xcc));
        _log.Begin();
        Span<byte> data = stackalloc byte[1];

        _log.TryReplay(AccessKind.PortIn, 0x60, data).Should().BeTrue();
        data[0].Should().Be(0xaa);
        _log.TryReplay(AccessKind.PortIn, 0x60, data).Should().BeTrue();
        data[0].Should().Be(0xbb);
        _log.TrySkip(AccessKind.PortOut, 0x80, 1).Should().BeTrue();
        _log.TrySkip(AccessKind.PortOut, 0x80, 1).Should().BeFalse();
    }

    [Test]
    public void An_instruction_that_asks_for_something_else_the_second_time_forgets_the_rest()
    {
        _log.Record(new(AccessKind.MemoryRead, 0x1000, 4, 1));
        _log.Record(new(AccessKind.MemoryRead, 0x2000, 4, 2));
        _log.Begin();
        Span<byte> data = stackalloc byte[4];
        _log.TryReplay(AccessKind.MemoryRead, 0x1000, data).Should().BeTrue();

        _log.TryReplay(AccessKind.MemoryRead, 0x3000, data).Should().BeFalse();

        _log.Count.Should().Be(1);
    }

    [Test]
    public void A_committed_instruction_leaves_nothing()
    {
        _log.Record(s_read);
        _log.Suspend(s_read);

        _log.Commit();

        _log.Count.Should().Be(0);
        _log.Status.Should().Be(RequestStatus.None);
    }

    [TestCase(0xffffffffffffffff, 1, 0xfful)]
    [TestCase(0xffffffffffffffff, 3, 0xfffffful)]
    [TestCase(0xffffffffffffffff, 8, 0xfffffffffffffffful)]
    public void Values_are_as_wide_as_their_access(ulong value, int length, ulong expected) =>
        AccessLog.Truncate(value, length).Should().Be(expected);
}
