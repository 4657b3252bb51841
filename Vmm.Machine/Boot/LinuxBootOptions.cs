// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>What a Linux kernel is to be started with.</summary>
public sealed record LinuxBootOptions
{
    /// <summary>The kernel: a bzImage or an ELF64 vmlinux.</summary>
    public required ReadOnlyMemory<byte> Kernel { get; init; }

    /// <summary>The initial RAM disk; empty for none.</summary>
    public ReadOnlyMemory<byte> Initrd { get; init; }

    /// <summary>The command line, encoded as UTF-8.</summary>
    public string CommandLine { get; init; } = string.Empty;

    /// <summary>Who decompresses a bzImage.</summary>
    public KernelUnpacking Unpacking { get; init; }

    /// <summary>Where the ACPI root pointer is; zero lets the kernel search the BIOS area.</summary>
    public GuestPhysicalAddress AcpiRsdp { get; init; }

    /// <summary>
    /// The firmware memory map; <see cref="PcMemoryLayout.CreateE820"/> when null. The loader places nothing where it does
    /// not say RAM.
    /// </summary>
    public E820Map? MemoryMap { get; init; }
}
