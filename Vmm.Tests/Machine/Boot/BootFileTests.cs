// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class BootFileTests
{
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(100)]
    public void Stream_is_read_to_its_end(int size)
    {
        byte[] bytes = [.. Enumerable.Range(0, size).Select(static value => (byte)value)];
        using MemoryStream stream = new(bytes);

        BootFile.Read(stream, BootImageKind.Initrd, 100).ToArray().Should().Equal(bytes);
    }

    [Test]
    public void Pipe_is_read_to_its_end()
    {
        using Drip stream = new(3_000_000);

        BootFile.Read(stream, BootImageKind.Initrd, long.MaxValue).Length.Should().Be(3_000_000);
    }

    [TestCase(99)]
    [TestCase(0)]
    public void Longer_stream_is_refused(int limit)
    {
        using MemoryStream stream = new(new byte[100]);

        Action read = () => BootFile.Read(stream, BootImageKind.Initrd, limit);

        read.Should().Throw<BootImageException>().Which.Offset.Should().Be(limit);
    }

    [Test]
    public void Endless_pipe_is_refused_at_the_limit()
    {
        using Drip stream = new(int.MaxValue);

        Action read = () => BootFile.Read(stream, BootImageKind.BzImage, 5000);

        read.Should().Throw<BootImageException>();
    }

    private sealed class Drip(int size) : MemoryStream
    {
        private int _left = size;

        public override bool CanSeek => false;

        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = Math.Min(Math.Min(count, _left), 100_000);
            _left -= read;
            return read;
        }
    }
}
