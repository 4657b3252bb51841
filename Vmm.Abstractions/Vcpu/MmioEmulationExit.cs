// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// An access to memory-mapped input or output that a backend has not decoded: the engine executes the instruction at RIP.
/// </summary>
/// <param name="Address">The guest-physical address of the access.</param>
/// <param name="LinearAddress">Its linear address, where the backend knows it: the instruction must have an operand there.</param>
public readonly record struct MmioEmulationExit(GuestPhysicalAddress Address, GuestLinearAddress? LinearAddress);
