// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Tests.Machine.Boot;

/// <summary>
/// Small kernels. The sample is an ELF64 file of two segments, linked at 16 and 18 MiB and entered 16 bytes behind its
/// beginning, whose code has calls enough for a branch filter to matter; it lies compressed by each tool beside it.
/// </summary>
internal static class KernelImages
{
    internal const ulong SampleBase = 0x100_0000;
    internal const ulong SampleEntry = SampleBase + 0x10;
    internal const ulong SampleData = 0x120_0000;
    internal const int PayloadOffset = 0x40;

    internal static byte[] Sample => Read("sample.elf");

    internal static byte[] Read(string name) =>
        File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Data", "boot", name));

    /// <summary>A payload as the kernel's build makes it: the size appended, except for gzip and plain ELF.</summary>
    internal static byte[] Payload(string name)
    {
        byte[] data = Read(name);
        if (name.EndsWith(".gz", StringComparison.Ordinal) || name.EndsWith(".elf", StringComparison.Ordinal))
        {
            return data;
        }

        byte[] size = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(size, Sample.Length);
        return [.. data, .. size];
    }

    /// <summary>A bzImage of protocol 2.15 with one setup sector around a payload.</summary>
    internal static byte[] BzImage(byte[] payload, ushort version = 0x020f)
    {
        const int setupSize = 2 * 512;
        int protectedSize = (0x240 + payload.Length + 15) & ~15;
        byte[] image = new byte[setupSize + protectedSize];
        Span<byte> bytes = image;
        bytes[0x1f1] = 1;
        BinaryPrimitives.WriteInt32LittleEndian(bytes[0x1f4..], protectedSize / 16);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x1fe..], 0xaa55);
        bytes[0x200] = 0xeb;
        bytes[0x201] = 0x6a;
        "HdrS"u8.CopyTo(bytes[0x202..]);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x206..], version);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x20e..], 0x100);
        "6.1.0-sample\0"u8.CopyTo(bytes[0x300..]);
        bytes[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x22c..], 0x7fff_ffff);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x230..], 0x20_0000);
        bytes[0x234] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x236..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x238..], 255);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[0x248..], PayloadOffset);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[0x24c..], payload.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[0x258..], SampleBase);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[0x260..], 0x10_0000);
        payload.CopyTo(bytes[(setupSize + PayloadOffset)..]);
        return image;
    }
}
