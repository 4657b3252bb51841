// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>
/// Where the loaders put what a kernel finds at its entry, and the fixed addresses of a PC. Everything a loader adds of
/// its own lies in base memory, below 640 KiB, where no kernel is linked; <c>docs/boot.md</c> draws the map.
/// </summary>
public static class BootAddresses
{
    /// <summary>Top of the initial stack, which grows down from here; one page is kept for it.</summary>
    public const ulong StackTop = 0x6000;

    /// <summary>The descriptor table that the 64-bit boot protocol asks for.</summary>
    public const ulong Gdt = 0x6000;

    /// <summary>boot_params, the "zero page": 4096 bytes.</summary>
    public const ulong BootParameters = 0x7000;

    /// <summary>The command line, with its terminating zero at most <see cref="CommandLineSize"/> bytes.</summary>
    public const ulong CommandLine = 0x2_0000;

    /// <summary>Bytes kept for the command line.</summary>
    public const ulong CommandLineSize = 0x1_0000;

    /// <summary>The initial page tables, root first.</summary>
    public const ulong PageTables = 0x3_0000;

    /// <summary>Start of the extended BIOS data area: the last KiB of base memory.</summary>
    public const ulong ExtendedBiosData = 0x9_fc00;

    /// <summary>Video memory; base memory ends here.</summary>
    public const ulong VideoMemory = 0xa_0000;

    /// <summary>The BIOS area in which an operating system searches tables.</summary>
    public const ulong BiosArea = 0xf_0000;

    /// <summary>One MiB: memory goes on here behind the legacy area.</summary>
    public const ulong HighMemory = 0x10_0000;

    /// <summary>From the I/O APIC to 4 GiB: interrupt controllers, timers, firmware.</summary>
    public const ulong ChipArea = 0xfec0_0000;
}
