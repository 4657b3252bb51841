// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

public sealed class StreamConsoleSinkTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(1);

    [Test]
    public void Output_arrives_in_order()
    {
        using MemoryStream stream = new();
        using StreamConsoleSink sink = new(stream, new StreamConsoleSinkOptions { Capacity = 7, WaitForRoom = s_long });
        byte[] expected = [.. Enumerable.Range(0, 1000).Select(static value => (byte)value)];

        sink.Write(expected);

        sink.Flush(s_long).Should().BeTrue();
        stream.ToArray().Should().Equal(expected);
        sink.Dropped.Should().Be(0);
    }

    [Test]
    public void Stuck_stream_costs_output_but_not_the_guest()
    {
        using GateStream stream = new();
        using StreamConsoleSink sink = new(stream, new StreamConsoleSinkOptions { Capacity = 4, WaitForRoom = TimeSpan.Zero });
        sink.Write([1]);
        stream.Entered.Wait(s_long).Should().BeTrue();

        sink.Write([2, 3, 4, 5, 6, 7]);

        sink.Dropped.Should().Be(2);
        stream.Open.Set();
        sink.Flush(s_long).Should().BeTrue();
        stream.Written.Should().Equal(1, 2, 3, 4, 5);
    }

    [Test]
    public void Error_is_reported_once_and_later_output_dropped()
    {
        List<Exception> errors = [];
        using ManualResetEventSlim reported = new();
        using BrokenStream stream = new();
        using StreamConsoleSink sink = new(stream, new StreamConsoleSinkOptions
        {
            OnError = error =>
            {
                errors.Add(error);
                reported.Set();
            },
        });

        sink.Write([1]);
        reported.Wait(s_long).Should().BeTrue();
        sink.Write([2, 3]);

        errors.Should().ContainSingle().Which.Should().BeOfType<IOException>();
        sink.Flush(s_long).Should().BeFalse();
        sink.Dropped.Should().Be(3);
    }

    [Test]
    public void Disposing_writes_the_rest_and_drops_what_follows()
    {
        using MemoryStream stream = new();
        StreamConsoleSink sink = new(stream, new StreamConsoleSinkOptions { WaitForEnd = s_long });
        sink.Write("rest"u8);

        sink.Dispose();
        sink.Write("late"u8);
        sink.Dispose();

        stream.ToArray().Should().Equal("rest"u8.ToArray());
        sink.Dropped.Should().Be(4);
    }

    [Test]
    public void Disposing_does_not_wait_for_a_stuck_stream()
    {
        using GateStream stream = new();
        StreamConsoleSink sink = new(stream, new StreamConsoleSinkOptions { WaitForEnd = TimeSpan.Zero });
        sink.Write([1]);
        stream.Entered.Wait(s_long).Should().BeTrue();
        sink.Write([2, 3]);

        sink.Dispose();

        sink.Dropped.Should().Be(2);
        stream.Open.Set();
    }

    private sealed class GateStream : MemoryStream
    {
        internal ManualResetEventSlim Entered { get; } = new();

        internal ManualResetEventSlim Open { get; } = new();

        internal List<byte> Written { get; } = [];

        public override void Write(byte[] buffer, int offset, int count)
        {
            Entered.Set();
            Open.Wait();
            Written.AddRange(buffer.AsSpan(offset, count));
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("broken");
    }
}
