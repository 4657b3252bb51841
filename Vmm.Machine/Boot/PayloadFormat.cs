// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>
/// How the kernel inside a bzImage is compressed, told by the magic numbers that the boot protocol lists under
/// <c>payload_offset</c>.
/// </summary>
public enum PayloadFormat
{
    /// <summary>None of the known ones; LZO among them, for which the host has no decoder.</summary>
    Unknown = 0,

    /// <summary>Not compressed: an ELF file.</summary>
    Elf,

    /// <summary>gzip (RFC 1952).</summary>
    Gzip,

    /// <summary>bzip2.</summary>
    Bzip2,

    /// <summary>LZMA, the "alone" format.</summary>
    Lzma,

    /// <summary>XZ, with or without the x86 branch filter.</summary>
    Xz,

    /// <summary>LZ4, the legacy frame.</summary>
    Lz4,

    /// <summary>Zstandard (RFC 8878).</summary>
    Zstd,
}
