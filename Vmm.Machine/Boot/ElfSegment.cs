// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>A loadable segment of an ELF64 image (a program header of type PT_LOAD).</summary>
/// <param name="HeaderOffset">File offset of the program header.</param>
/// <param name="Address">Where it is loaded: <c>p_paddr</c>.</param>
/// <param name="LinearAddress">Where it is linked: <c>p_vaddr</c>.</param>
/// <param name="Content">Its bytes in the file.</param>
/// <param name="MemorySize">Its size in memory, at least the content's; the rest is zero: <c>p_memsz</c>.</param>
public readonly record struct ElfSegment(
    long HeaderOffset,
    GuestPhysicalAddress Address,
    GuestLinearAddress LinearAddress,
    ReadOnlyMemory<byte> Content,
    ulong MemorySize);
