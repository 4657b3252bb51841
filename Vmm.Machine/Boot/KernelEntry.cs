// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>At which of its entries a kernel is started.</summary>
public enum KernelEntry
{
    /// <summary>No kernel.</summary>
    None = 0,

    /// <summary>The entry of an ELF file that was given as such.</summary>
    Elf,

    /// <summary>The ELF entry of the kernel that the host has unpacked from a bzImage.</summary>
    UnpackedByHost,

    /// <summary>The 64-bit entry of the unpacker inside a bzImage.</summary>
    GuestUnpacker,
}
