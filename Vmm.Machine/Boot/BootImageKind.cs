// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>Which of the inputs of a boot a <see cref="BootImageException"/> is about.</summary>
public enum BootImageKind
{
    /// <summary>Not known, or none in particular.</summary>
    Unknown = 0,

    /// <summary>A flat binary.</summary>
    Flat,

    /// <summary>An ELF64 kernel (<c>vmlinux</c>), on its own or unpacked from a bzImage.</summary>
    Elf,

    /// <summary>A Linux <c>bzImage</c>.</summary>
    BzImage,

    /// <summary>The compressed payload inside a bzImage.</summary>
    Payload,

    /// <summary>The initial RAM disk.</summary>
    Initrd,

    /// <summary>The kernel's command line.</summary>
    CommandLine,

    /// <summary>A program for the initial RAM disk.</summary>
    Program,
}
