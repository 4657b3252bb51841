// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Abstractions.Vcpu;

/// <summary>An access that the memory map forbids.</summary>
/// <param name="Address">The guest-physical address.</param>
/// <param name="Access">What was tried: one of read, write, execute.</param>
public readonly record struct PagingExit(GuestPhysicalAddress Address, MemoryProtection Access);
