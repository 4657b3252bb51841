// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmm.Machine.Boot;

/// <summary>
/// The real-mode setup header of a bzImage, checked (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
/// Immutable; the properties carry the protocol's field names in C# spelling.
/// </summary>
public sealed class SetupHeader
{
    /// <summary>Offset of the header's first field, <c>setup_sects</c>, in the file and in boot_params.</summary>
    public const int Start = 0x1f1;

    /// <summary>Bytes of boot_params that the header can reach; what follows belongs to other fields.</summary>
    public const int MaximumEnd = 0x290;

    private const int SetupSectors = 0x1f1;
    private const int SysSize = 0x1f4;
    private const int BootFlag = 0x1fe;
    private const int JumpDistance = 0x201;
    private const int Magic = 0x202;
    private const int VersionField = 0x206;
    private const int KernelVersionField = 0x20e;
    private const int LoadFlags = 0x211;
    private const int InitrdAddressMaximumField = 0x22c;
    private const int KernelAlignmentField = 0x230;
    private const int RelocatableField = 0x234;
    private const int ExtendedLoadFlags = 0x236;
    private const int CommandLineSizeField = 0x238;
    private const int PayloadOffsetField = 0x248;
    private const int PayloadLengthField = 0x24c;
    private const int PreferredAddressField = 0x258;
    private const int InitSizeField = 0x260;

    // Before 2.08 (Linux 2.6.26) the payload cannot be found; before 2.12 (Linux 3.8) there is no 64-bit entry to speak of.
    private const ushort OldestVersion = 0x0208;
    private const ushort VersionWith64BitEntry = 0x020c;
    private const ushort VersionWithInitSize = 0x020a;

    private const int SectorSize = 512;
    private const int DefaultSetupSectors = 4;
    private const byte LoadedHigh = 0x01;
    private const ushort Kernel64 = 0x0001;

    private const string Damaged = "The image is truncated or mangled: copy or build it again";
    private const string TooOld = "Use a 64-bit kernel of Linux 3.8 or later, or its vmlinux";

    private readonly ReadOnlyMemory<byte> _file;

    private SetupHeader(ReadOnlyMemory<byte> file, int end)
    {
        _file = file;
        End = end;
    }

    /// <summary>Offset behind the header's last field.</summary>
    public int End { get; }

    /// <summary>The header's bytes, from <see cref="Start"/> to <see cref="End"/>, to be copied into boot_params.</summary>
    public ReadOnlyMemory<byte> Bytes => _file[Start..End];

    /// <summary>Boot protocol version: major in the high byte, minor in the low one.</summary>
    public ushort Version => Read16(VersionField);

    /// <summary>Where the protected-mode part begins in the file.</summary>
    public int ProtectedModeOffset
    {
        get
        {
            int sectors = _file.Span[SetupSectors];
            return ((sectors == 0 ? DefaultSetupSectors : sectors) + 1) * SectorSize;
        }
    }

    /// <summary>The protected-mode part: the unpacker with the payload inside.</summary>
    public ReadOnlyMemory<byte> ProtectedMode => _file[ProtectedModeOffset..];

    /// <summary>The compressed kernel.</summary>
    public ReadOnlyMemory<byte> Payload => _file.Slice((int)PayloadFileOffset, (int)Read32(PayloadLengthField));

    /// <summary>Where the compressed kernel begins in the file.</summary>
    public long PayloadFileOffset => ProtectedModeOffset + (long)Read32(PayloadOffsetField);

    /// <summary>Highest address that the initial RAM disk may occupy.</summary>
    public uint InitrdAddressMaximum => Read32(InitrdAddressMaximumField);

    /// <summary>Longest command line, without its terminating zero.</summary>
    public uint CommandLineSize => Read32(CommandLineSizeField);

    /// <summary>Alignment of the load address of a relocatable kernel.</summary>
    public uint KernelAlignment => Read32(KernelAlignmentField);

    /// <summary>Whether the unpacker may be loaded at any address of that alignment.</summary>
    public bool IsRelocatable => _file.Span[RelocatableField] != 0;

    /// <summary>Whether the kernel has the 64-bit entry at offset 0x200 of its protected-mode part.</summary>
    public bool Has64BitEntry => Version >= VersionWith64BitEntry && (Read16(ExtendedLoadFlags) & Kernel64) != 0;

    /// <summary>The address at which the kernel prefers to be loaded.</summary>
    public ulong PreferredAddress => Version >= VersionWithInitSize
        ? BinaryPrimitives.ReadUInt64LittleEndian(_file.Span[PreferredAddressField..])
        : BootAddresses.HighMemory;

    /// <summary>Memory that the unpacker and the kernel use from their load address on before they read the memory map.</summary>
    public uint InitSize => Version >= VersionWithInitSize ? Read32(InitSizeField) : 0;

    /// <summary>The kernel's own version text; empty when the header names none or the text is not in the file.</summary>
    public string KernelVersion
    {
        get
        {
            const int longest = 256;
            int pointer = Read16(KernelVersionField);
            int start = pointer + SectorSize;
            if (pointer == 0 || start >= ProtectedModeOffset)
            {
                return string.Empty;
            }

            ReadOnlySpan<byte> text = _file.Span[start..Math.Min(start + longest, ProtectedModeOffset)];
            int end = text.IndexOf((byte)0);
            return Encoding.ASCII.GetString(end < 0 ? text : text[..end]);
        }
    }

    /// <summary>Whether a file begins like a bzImage.</summary>
    /// <param name="image">Any bytes.</param>
    public static bool IsBzImage(ReadOnlySpan<byte> image) =>
        image.Length >= Magic + 4 && image[Magic..].StartsWith("HdrS"u8);

    /// <summary>Reads and checks the header and the extents it gives.</summary>
    /// <param name="image">The whole file; it must not change while the result is in use.</param>
    /// <exception cref="BootImageException">It is not a bzImage of protocol 2.08 or later, truncated or mangled.</exception>
    public static SetupHeader Parse(ReadOnlyMemory<byte> image)
    {
        ReadOnlySpan<byte> file = image.Span;
        Require(IsBzImage(file), Magic, "header", $"no 'HdrS' magic", "Give a Linux bzImage or a vmlinux");
        Require(file.Length >= MaximumEnd, file.Length, "setup header", $"the file ends after {file.Length} bytes", Damaged);
        ushort flag = BinaryPrimitives.ReadUInt16LittleEndian(file[BootFlag..]);
        Require(flag == 0xaa55, BootFlag, "boot_flag", $"0x{flag:x4} instead of 0xaa55", Damaged);

        int end = Magic + file[JumpDistance];
        SetupHeader header = new(image, Math.Min(end, MaximumEnd));
        Require(header.Version >= OldestVersion, VersionField, "version", $"boot protocol {header.Version >> 8}.{header.Version & 0xff:d2} is older than 2.08", TooOld);
        int needed = header.Version >= VersionWithInitSize ? InitSizeField + 4 : PayloadLengthField + 4;
        Require(end >= needed && end <= MaximumEnd, JumpDistance, "jump", $"the header ends at 0x{end:x}; version {header.Version:x4} needs 0x{needed:x} to 0x{MaximumEnd:x}", Damaged);
        Require((file[LoadFlags] & LoadedHigh) != 0, LoadFlags, "loadflags", $"LOADED_HIGH is clear: a zImage", TooOld);
        CheckExtents(header, file.Length);
        return header;
    }

    private static void CheckExtents(SetupHeader header, int length)
    {
        int start = header.ProtectedModeOffset;
        Require(start < length, SetupSectors, "setup_sects", $"the protected-mode part would begin at 0x{start:x}, behind the end of the file at 0x{length:x}", Damaged);

        // syssize counts 16-byte units and is rounded up, so the last unit may be short.
        long declared = (long)header.Read32(SysSize) * 16;
        long present = length - start;
        Require(declared <= present + 15, SysSize, "syssize", $"{declared} bytes of protected-mode code declared, {present} in the file", Damaged);

        uint offset = header.Read32(PayloadOffsetField);
        uint size = header.Read32(PayloadLengthField);
        Require(offset < present, PayloadOffsetField, "payload_offset", $"0x{offset:x} lies behind the protected-mode part of 0x{present:x} bytes", Damaged);
        Require(size > 0 && size <= present - offset, PayloadLengthField, "payload_length", $"0x{size:x} bytes at 0x{offset:x} of 0x{present:x}", Damaged);
    }

    private static void Require(bool condition, long offset, string field, FormattableString problem, string remedy)
    {
        if (!condition)
        {
            throw new BootImageException(
                BootImageKind.BzImage, offset, field, problem.ToString(CultureInfo.InvariantCulture), remedy);
        }
    }

    private ushort Read16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_file.Span[offset..]);

    private uint Read32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_file.Span[offset..]);
}
