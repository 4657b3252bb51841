// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using SharpCompress.Compressors.Filters;
using SharpCompress.Compressors.LZMA;

namespace Vmm.Machine.Boot;

/// <summary>
/// Decodes one XZ stream into a buffer of known size, following the ".xz file format" specification, version 1.1.0:
/// LZMA2 with or without the x86 branch filter, as the kernel's build produces it; every CRC and integrity check is
/// verified. The dictionary is never larger than the output, whatever the file declares.
/// </summary>
internal ref struct XzDecoder
{
    private const int StreamHeaderSize = 12;
    private const int StreamFooterSize = 12;
    private const ulong FilterX86 = 0x04;
    private const ulong FilterLzma2 = 0x21;
    private const byte HasCompressedSize = 0x40;
    private const byte HasUncompressedSize = 0x80;
    private const string Damaged = "The image is truncated or mangled: copy or build it again";
    private const string Unsupported = "Let the guest unpack it";

    // Bytes of the integrity check by its identifier (section 2.1.1.2).
    private const byte CheckNone = 0;
    private const byte CheckCrc32 = 1;
    private const byte CheckCrc64 = 4;
    private const byte CheckSha256 = 10;

    private readonly ReadOnlyMemory<byte> _memory;
    private readonly ReadOnlySpan<byte> _data;
    private readonly Span<byte> _output;
    private readonly BootOrigin _origin;
    private int _position;
    private int _written;

    private XzDecoder(ReadOnlyMemory<byte> data, Span<byte> output, BootOrigin origin)
    {
        _memory = data;
        _data = data.Span;
        _output = output;
        _origin = origin;
    }

    /// <summary>Decodes.</summary>
    /// <param name="data">The stream; anything behind its footer is refused.</param>
    /// <param name="output">Receives the result.</param>
    /// <param name="origin">Where the stream lies, for messages.</param>
    /// <returns>Bytes written.</returns>
    internal static int Decode(ReadOnlyMemory<byte> data, Span<byte> output, BootOrigin origin)
    {
        XzDecoder decoder = new(data, output, origin);
        decoder.Run();
        return decoder._written;
    }

    private void Run()
    {
        Require(_data.Length >= StreamHeaderSize + StreamFooterSize, "XZ stream header", $"only {_data.Length} bytes");
        Require(_data[0] == 0xfd && _data[1..6].SequenceEqual("7zXZ\0"u8), "XZ magic", $"mangled");
        byte check = _data[7];
        Require(_data[6] == 0 && Crc32.Compute(_data.Slice(6, 2)) == Read32(8), "XZ stream flags", $"the checksum does not match");
        RequireSupported(check is CheckNone or CheckCrc32 or CheckCrc64 or CheckSha256, "XZ check", $"check type {check} is not supported");
        _position = StreamHeaderSize;
        int blocks = 0;
        while (PeekByte() != 0)
        {
            DecodeBlock(check);
            blocks++;
        }

        CheckIndex(blocks);
    }

    private void DecodeBlock(byte check)
    {
        Block block = ReadBlockHeader();
        (int packed, int unpacked) = MeasureLzma2(_position);
        Require(unpacked <= _output.Length - _written, "XZ block", $"{unpacked} bytes more than {_written} exceed the declared {_output.Length}");
        byte[] bytes = new byte[unpacked];
        UnpackLzma2(_position, packed, block.Dictionary, bytes);
        if (block.HasBranchFilter)
        {
            uint state = 0;
            BranchExecFilter.X86Converter(bytes, block.BranchStart, ref state);
        }

        _position = Aligned(_position + packed);
        VerifyCheck(check, bytes);
        bytes.CopyTo(_output[_written..]);
        _written += unpacked;
    }

    private Block ReadBlockHeader()
    {
        int start = _position;
        int size = (PeekByte() + 1) * 4;
        Require(size <= _data.Length - start, "XZ block header", $"{size} bytes reach past the end");
        Require(Crc32.Compute(_data.Slice(start, size - 4)) == Read32(start + size - 4), "XZ block header", $"the checksum does not match");
        byte flags = _data[start + 1];
        _position = start + 2;
        if ((flags & HasCompressedSize) != 0)
        {
            ReadNumber();
        }

        if ((flags & HasUncompressedSize) != 0)
        {
            ReadNumber();
        }

        Block block = default;
        int filters = (flags & 3) + 1;
        for (int index = 0; index < filters; index++)
        {
            block = ReadFilter(block, isLast: index == filters - 1);
        }

        _position = start + size;
        return block;
    }

    private Block ReadFilter(Block block, bool isLast)
    {
        ulong id = ReadNumber();
        ulong size = ReadNumber();
        Require(size <= (ulong)(_data.Length - _position), "XZ filter", $"properties of {size} bytes reach past the end");
        ReadOnlySpan<byte> properties = _data.Slice(_position, (int)size);
        _position += (int)size;
        if (id == FilterLzma2 && isLast && properties.Length == 1)
        {
            return block with { Dictionary = properties[0] };
        }

        RequireSupported(id == FilterX86 && !isLast && !block.HasBranchFilter && properties.Length is 0 or 4, "XZ filter", $"filter 0x{id:x} is not supported");
        uint start = properties.Length == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(properties) : 0;
        return block with { HasBranchFilter = true, BranchStart = start };
    }

    // The chunks of LZMA2 carry their sizes, so that both totals are known before a byte is decoded.
    private readonly (int Packed, int Unpacked) MeasureLzma2(int start)
    {
        int position = start;
        long unpacked = 0;
        while (true)
        {
            Require(position < _data.Length, "LZMA2 chunk", $"the data end without an end marker");
            byte control = _data[position];
            if (control == 0)
            {
                return (position + 1 - start, (int)unpacked);
            }

            bool isPlain = control < 0x80;
            int header = isPlain ? 3 : control >= 0xc0 ? 6 : 5;
            Require(control is 1 or 2 or >= 0x80, "LZMA2 chunk", $"control byte 0x{control:x2}");
            Require(header <= _data.Length - position, "LZMA2 chunk", $"the data end inside its header");
            int size = BinaryPrimitives.ReadUInt16BigEndian(_data[(position + 1)..]) + 1;
            int body = isPlain ? size : BinaryPrimitives.ReadUInt16BigEndian(_data[(position + 3)..]) + 1;
            unpacked += isPlain ? size : size + ((control & 0x1f) << 16);
            Require(body <= _data.Length - position - header, "LZMA2 chunk", $"{body} bytes reach past the end");
            Require(unpacked <= _output.Length, "LZMA2 chunk", $"more than the declared {_output.Length} bytes");
            position += header + body;
        }
    }

    private readonly void UnpackLzma2(int start, int packed, byte dictionary, byte[] output)
    {
        ReadOnlyMemory<byte> data = _memory.Slice(start, packed);
        byte[] bytes = MemoryMarshal.TryGetArray(data, out ArraySegment<byte> array) ? array.Array! : data.ToArray();
        using MemoryStream source = new(bytes, bytes == array.Array ? array.Offset : 0, packed, writable: false);
        byte[] properties = [SmallestDictionary(dictionary, output.Length)];
        using LzmaStream stream = LzmaStream.Create(
            properties, source, packed, output.Length, presetDictionary: null!, isLzma2: true, leaveOpen: false);
        int count = stream.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
        Require(count == output.Length, "LZMA2 data", $"{count} bytes of {output.Length}");
    }

    // Section 5.3.1: size = (2 | bit 0) << (bits 1-5 + 11).
    private static byte SmallestDictionary(byte declared, int outputSize)
    {
        byte bits = 0;
        while (bits < 36 && bits < declared && (2L | (bits & 1u)) << ((bits / 2) + 11) < outputSize)
        {
            bits++;
        }

        return bits;
    }

    private void VerifyCheck(byte check, byte[] bytes)
    {
        int size = check switch { CheckCrc32 => 4, CheckCrc64 => 8, CheckSha256 => 32, _ => 0 };
        Require(size <= _data.Length - _position, "XZ check", $"the data end before the block's check");
        ReadOnlySpan<byte> expected = _data.Slice(_position, size);
        bool matches = check switch
        {
            CheckCrc32 => BinaryPrimitives.ReadUInt32LittleEndian(expected) == Crc32.Compute(bytes),
            CheckCrc64 => BinaryPrimitives.ReadUInt64LittleEndian(expected) == SharpCompress.Compressors.Xz.Crc64.ComputeXz(bytes),
            CheckSha256 => SHA256.HashData(bytes).AsSpan().SequenceEqual(expected),
            _ => true,
        };
        Require(matches, "XZ check", $"the checksum of the block does not match");
        _position += size;
    }

    private void CheckIndex(int blocks)
    {
        int start = _position;
        _position++;
        ulong records = ReadNumber();
        Require(records == (ulong)blocks, "XZ index", $"{records} records for {blocks} blocks");
        for (int record = 0; record < blocks; record++)
        {
            ReadNumber();
            ReadNumber();
        }

        int end = Aligned(_position);
        Require(end + 4 + StreamFooterSize == _data.Length, "XZ index", $"the stream does not end with its footer");
        Require(Crc32.Compute(_data[start..end]) == Read32(end), "XZ index", $"the checksum does not match");
        int footer = end + 4;
        Require(_data[^2..].SequenceEqual("YZ"u8) && Crc32.Compute(_data.Slice(footer + 4, 6)) == Read32(footer), "XZ footer", $"mangled");
    }

    // Section 1.2: seven bits a byte, least significant first, at most nine bytes.
    private ulong ReadNumber()
    {
        ulong value = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            byte next = PeekByte();
            _position++;
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Refuse("XZ number", $"longer than nine bytes", Damaged);
    }

    // Blocks and index are padded to a multiple of four, counted from the stream's beginning.
    private static int Aligned(int position) => (position + 3) & ~3;

    private readonly byte PeekByte()
    {
        Require(_position < _data.Length, "XZ stream", $"the data end at {_position}");
        return _data[_position];
    }

    private readonly uint Read32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_data[offset..]);

    private readonly void Require(bool condition, string field, FormattableString problem)
    {
        if (!condition)
        {
            throw Refuse(field, problem, Damaged);
        }
    }

    private readonly void RequireSupported(bool condition, string field, FormattableString problem)
    {
        if (!condition)
        {
            throw Refuse(field, problem, Unsupported);
        }
    }

    private readonly BootImageException Refuse(string field, FormattableString problem, string remedy) =>
        new(_origin.Kind, _origin.Offset + _position, field, problem.ToString(CultureInfo.InvariantCulture), remedy);

    private readonly record struct Block(byte Dictionary, bool HasBranchFilter, uint BranchStart);
}
