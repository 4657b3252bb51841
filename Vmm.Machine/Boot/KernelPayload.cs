// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using K4os.Compression.LZ4;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.LZMA;
using ZstdSharp;

namespace Vmm.Machine.Boot;

/// <summary>
/// The compressed kernel inside a bzImage. The kernel's build appends the uncompressed size, 32-bit little-endian, to
/// every format but gzip, which ends in that size anyway; so the result's size is known, and checked against the machine,
/// before anything is unpacked.
/// </summary>
public static class KernelPayload
{
    private const int SizeTrailer = 4;
    private const uint Lz4LegacyMagic = 0x184c2102;

    // The legacy frame's blocks hold this much, except the last.
    private const int Lz4BlockSize = 8 << 20;

    // LZMA "alone": properties, dictionary size, uncompressed size.
    private const int LzmaHeader = 13;
    private const int LzmaDictionarySize = 1;
    private const int LzmaProperties = 5;

    private const string Damaged = "The image is truncated or mangled: copy or build it again";

    /// <summary>Tells the format by its magic number.</summary>
    /// <param name="payload">The payload's bytes.</param>
    public static PayloadFormat Detect(ReadOnlySpan<byte> payload)
    {
        if (ElfImage.IsElf(payload))
        {
            return PayloadFormat.Elf;
        }

        return payload.Length < 2 ? PayloadFormat.Unknown : (payload[0], payload[1]) switch
        {
            (0x1f, 0x8b or 0x9e) => PayloadFormat.Gzip,
            (0x42, 0x5a) => PayloadFormat.Bzip2,
            (0x5d, 0x00) => PayloadFormat.Lzma,
            (0xfd, 0x37) => PayloadFormat.Xz,
            (0x02, 0x21) => PayloadFormat.Lz4,
            (0x28, 0xb5) => PayloadFormat.Zstd,
            _ => PayloadFormat.Unknown,
        };
    }

    /// <summary>Decompresses a payload of a known format.</summary>
    /// <param name="payload">The payload as the setup header delimits it.</param>
    /// <param name="fileOffset">Where it lies in its file, for messages.</param>
    /// <param name="maximumSize">The most bytes that the result may have: what the machine has room for.</param>
    /// <returns>The unpacked file; for an uncompressed payload a window on it.</returns>
    /// <exception cref="BootImageException">
    /// The format is unknown, the size too large, or the data truncated or mangled.
    /// </exception>
    public static ReadOnlyMemory<byte> Decompress(ReadOnlyMemory<byte> payload, long fileOffset, long maximumSize)
    {
        PayloadFormat format = Detect(payload.Span);
        BootOrigin origin = new(BootImageKind.Payload, fileOffset, Invariant($"{format} data"));
        if (format == PayloadFormat.Elf)
        {
            return payload;
        }

        if (format == PayloadFormat.Unknown)
        {
            throw origin.Refuse("its magic number is none of gzip, bzip2, LZMA, XZ, LZ4 or zstd", "Let the guest unpack it");
        }

        byte[] output = new byte[DeclaredSize(payload, fileOffset, maximumSize)];
        ReadOnlyMemory<byte> data = format == PayloadFormat.Gzip ? payload : payload[..^SizeTrailer];
        Decode(format, data, output, origin);
        return output;
    }

    private static int DeclaredSize(ReadOnlyMemory<byte> payload, long fileOffset, long maximumSize)
    {
        long trailer = payload.Length - SizeTrailer;
        BootOrigin origin = new(BootImageKind.Payload, fileOffset + Math.Max(trailer, 0), "uncompressed size");
        if (trailer <= LzmaHeader)
        {
            throw origin.Refuse(Invariant($"a payload of {payload.Length} bytes is too short"), Damaged);
        }

        uint size = BinaryPrimitives.ReadUInt32LittleEndian(payload.Span[^SizeTrailer..]);
        if (size == 0 || size > maximumSize || size > Array.MaxLength)
        {
            throw origin.Refuse(
                Invariant($"{size} bytes declared; this machine has room for {maximumSize}"),
                "Give the machine more memory, or use an intact image");
        }

        return (int)size;
    }

    private static void Decode(PayloadFormat format, ReadOnlyMemory<byte> data, byte[] output, BootOrigin origin)
    {
        try
        {
            int written = format switch
            {
                PayloadFormat.Gzip => Gunzip(data, output),
                PayloadFormat.Bzip2 => Bunzip2(data, output),
                PayloadFormat.Lzma => UnpackLzma(data, output),
                PayloadFormat.Xz => XzDecoder.Decode(data, output, origin),
                PayloadFormat.Lz4 => UnpackLz4(data.Span, output, origin),
                _ => Unzstd(data.Span, output),
            };
            if (written != output.Length)
            {
                throw origin.Refuse(Invariant($"it unpacks to {written} bytes instead of the declared {output.Length}"), Damaged);
            }
        }
        catch (Exception error) when (error is not (BootImageException or OutOfMemoryException))
        {
            // The decoders come from several libraries and report mangled data by many kinds of exception, index errors
            // among them; here they all mean one thing.
            throw origin.Refuse(Invariant($"the data cannot be unpacked ({error.Message.TrimEnd('.')})"), Damaged, error);
        }
    }

    private static int Gunzip(ReadOnlyMemory<byte> data, byte[] output)
    {
        using GZipStream stream = new(AsStream(data), CompressionMode.Decompress);
        return ReadAll(stream, output);
    }

    private static int Bunzip2(ReadOnlyMemory<byte> data, byte[] output)
    {
        using BZip2Stream stream = BZip2Stream.Create(
            AsStream(data), SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: false);
        return ReadAll(stream, output);
    }

    private static int UnpackLzma(ReadOnlyMemory<byte> data, byte[] output)
    {
        byte[] properties = data.Span[..LzmaProperties].ToArray();

        // No match reaches back further than the output's beginning, so a larger dictionary would only cost memory.
        Span<byte> dictionary = properties.AsSpan(LzmaDictionarySize);
        uint size = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(dictionary), (uint)Math.Max(output.Length, 4096));
        BinaryPrimitives.WriteUInt32LittleEndian(dictionary, size);
        ReadOnlyMemory<byte> body = data[LzmaHeader..];
        using LzmaStream stream = LzmaStream.Create(properties, AsStream(body), body.Length, output.Length, leaveOpen: false);
        return ReadAll(stream, output);
    }

    private static int UnpackLz4(ReadOnlySpan<byte> data, Span<byte> output, BootOrigin origin)
    {
        int position = 0;
        int written = 0;
        while (position < data.Length && written < output.Length)
        {
            BootOrigin block = origin with { Offset = origin.Offset + position, Field = "LZ4 block size" };
            if (data.Length - position < sizeof(uint))
            {
                throw block.Refuse("the data end inside a block size", Damaged);
            }

            uint size = BinaryPrimitives.ReadUInt32LittleEndian(data[position..]);
            position += sizeof(uint);
            if (size == Lz4LegacyMagic)
            {
                continue;
            }

            if (size == 0 || size > data.Length - position)
            {
                throw block.Refuse(Invariant($"{size} bytes declared, {data.Length - position} present"), Damaged);
            }

            Span<byte> target = output.Slice(written, Math.Min(Lz4BlockSize, output.Length - written));
            int count = LZ4Codec.Decode(data.Slice(position, (int)size), target);
            if (count <= 0)
            {
                throw block.Refuse(Invariant($"the block of {size} bytes cannot be unpacked into {target.Length}"), Damaged);
            }

            position += (int)size;
            written += count;
        }

        return written;
    }

    private static int Unzstd(ReadOnlySpan<byte> data, Span<byte> output)
    {
        // One call over the whole frame needs no window of its own, whatever window size the frame declares.
        using Decompressor decompressor = new();
        return decompressor.Unwrap(data, output);
    }

    private static int ReadAll(Stream stream, byte[] output)
    {
        int written = stream.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);

        // One byte more than declared means that the declaration is wrong; the count then differs from it.
        return stream.ReadByte() < 0 ? written : written + 1;
    }

    private static MemoryStream AsStream(ReadOnlyMemory<byte> data) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(data, out ArraySegment<byte> array)
            ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false)
            : new MemoryStream(data.ToArray(), writable: false);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
