// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Devices;

namespace Vmm.Abstractions.Backend;

/// <summary>A write of the guest that the hypervisor kept for later.</summary>
/// <param name="Bus">Where it went.</param>
/// <param name="Address">The guest-physical address, or the port.</param>
/// <param name="Length">1 to 8 bytes.</param>
/// <param name="Data">The value, little-endian and zero-extended.</param>
public readonly record struct CollectedWrite(BusKind Bus, ulong Address, int Length, ulong Data);
