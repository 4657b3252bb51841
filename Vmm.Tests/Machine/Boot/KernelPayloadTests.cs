// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class KernelPayloadTests
{
    [TestCase("sample.gz")]
    [TestCase("sample.zst")]
    [TestCase("sample.elf")]
    public void Payload_of_exactly_the_permitted_size_is_unpacked(string file)
    {
        byte[] sample = KernelImages.Sample;

        KernelPayload.Decompress(KernelImages.Payload(file), 0, sample.Length).ToArray().Should().Equal(sample);
    }

    [Test]
    public void Payload_one_byte_larger_than_permitted_is_refused_before_it_is_unpacked()
    {
        byte[] payload = KernelImages.Payload("sample.gz");

        BootImageException error = Refusal(payload, maximumSize: KernelImages.Sample.Length - 1);

        error.Field.Should().Be("uncompressed size");
        error.Offset.Should().Be(1000 + payload.Length - 4);
    }

    [TestCase("sample-x86-crc32.xz")]
    [TestCase("sample-crc64.xz")]
    [TestCase("sample-blocks-sha256.xz")]
    public void Mangled_check_of_an_xz_block_is_refused(string file)
    {
        byte[] payload = KernelImages.Payload(file);

        // The footer tells how long the index before it is; the last block's check ends where the index begins.
        int footer = payload.Length - 4 - 12;
        int index = footer - ((BinaryPrimitives.ReadInt32LittleEndian(payload.AsSpan(footer + 4)) + 1) * 4);
        payload[index - 1] ^= 1;

        Refusal(payload).Field.Should().Be("XZ check");
    }

    [TestCase(6, "XZ stream flags")]
    [TestCase(13, "XZ block header")]
    [TestCase(-5, "XZ footer")]
    public void Mangled_frame_of_an_xz_stream_is_refused(int offset, string field)
    {
        byte[] payload = KernelImages.Payload("sample-x86-crc32.xz");
        payload[offset < 0 ? payload.Length + offset : offset] ^= 1;

        Refusal(payload).Field.Should().Be(field);
    }

    [Test]
    public void Mangled_check_of_a_gzip_stream_is_refused()
    {
        byte[] payload = KernelImages.Payload("sample.gz");
        payload[^8] ^= 1;

        Refusal(payload).InnerException.Should().BeOfType<InvalidDataException>();
    }

    [TestCase(4u)]
    [TestCase(0u)]
    [TestCase(0x7fff_ffffu)]
    public void Mangled_block_size_of_an_lz4_frame_is_refused(uint size)
    {
        byte[] payload = KernelImages.Payload("sample.lz4");
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(4), size);

        BootImageException error = Refusal(payload);

        error.Field.Should().Be("LZ4 block size");
        error.Offset.Should().Be(1004);
    }

    [TestCase(new byte[] { 0x1f, 0x8b })]
    [TestCase(new byte[] { 0xfd, 0x37, 0, 0, 0, 0, 1, 0, 0, 0 })]
    public void Payload_too_short_to_be_one_is_refused(byte[] payload) => Refusal(payload).Problem.Should().Contain("too short");

    private static BootImageException Refusal(byte[] payload, long maximumSize = 1 << 20)
    {
        Action decompress = () => KernelPayload.Decompress(payload, 1000, maximumSize);

        return decompress.Should().ThrowExactly<BootImageException>().Which;
    }
}
