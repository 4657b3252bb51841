// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>
/// The registers with which the boot processor starts. A loader returns it; the board applies it to the vCPU. General
/// registers that are not listed are zero.
/// </summary>
public sealed record BootState
{
    /// <summary>Instruction pointer; an offset in <see cref="Cs"/>.</summary>
    public required ulong Rip { get; init; }

    /// <summary>Stack pointer; an offset in <see cref="Ss"/>.</summary>
    public required ulong Rsp { get; init; }

    /// <summary>RSI: the address of boot_params for a Linux kernel, else zero.</summary>
    public ulong Rsi { get; init; }

    /// <summary>RDI; zero unless a caller sets it for its own flat guest.</summary>
    public ulong Rdi { get; init; }

    /// <summary>RFLAGS: bit 1 alone, so interrupts are off.</summary>
    public ulong Rflags { get; init; } = 0x2;

    /// <summary>CR0.</summary>
    public required ulong Cr0 { get; init; }

    /// <summary>CR3: the root page table, or zero when paging is off.</summary>
    public ulong Cr3 { get; init; }

    /// <summary>CR4.</summary>
    public ulong Cr4 { get; init; }

    /// <summary>IA32_EFER.</summary>
    public ulong Efer { get; init; }

    /// <summary>Code segment.</summary>
    public required BootSegment Cs { get; init; }

    /// <summary>Data segment.</summary>
    public required BootSegment Ds { get; init; }

    /// <summary>ES.</summary>
    public required BootSegment Es { get; init; }

    /// <summary>FS.</summary>
    public required BootSegment Fs { get; init; }

    /// <summary>GS.</summary>
    public required BootSegment Gs { get; init; }

    /// <summary>Stack segment.</summary>
    public required BootSegment Ss { get; init; }

    /// <summary>Task register.</summary>
    public BootSegment Tr { get; init; } = BootSegment.Task;

    /// <summary>LDT register.</summary>
    public BootSegment Ldtr { get; init; } = BootSegment.NoLdt;

    /// <summary>Global descriptor table register.</summary>
    public BootDescriptorTable Gdtr { get; init; }

    /// <summary>
    /// Interrupt descriptor table register: the real-mode vector table, or an empty table in long mode, where the first
    /// exception before the guest has set its own is a triple fault.
    /// </summary>
    public BootDescriptorTable Idtr { get; init; }
}
