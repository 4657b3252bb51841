// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Vcpu;

/// <summary>A memory-mapped access that nobody below the caller answered (<c>struct vm_mmio</c>).</summary>
/// <param name="Address">The guest-physical address.</param>
/// <param name="Bytes">Bytes accessed, 1 to 8; an access that crosses a page comes as two exits.</param>
/// <param name="IsRead">Whether the guest wants data.</param>
/// <param name="Data">For a write the value, little-endian and zero-extended; else 0.</param>
public readonly record struct MmioExit(GuestPhysicalAddress Address, byte Bytes, bool IsRead, ulong Data);
