// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>GDTR or IDTR as a loader wants it.</summary>
/// <param name="Base">Address of the table; linear and physical are the same in every state a loader returns.</param>
/// <param name="Limit">Size of the table in bytes minus one.</param>
public readonly record struct BootDescriptorTable(GuestPhysicalAddress Base, ushort Limit);
