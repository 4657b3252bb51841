// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>A range of guest memory that a loader has filled, for reports and for tests.</summary>
/// <param name="Name">What it holds, such as <c>initrd</c>.</param>
/// <param name="Address">First address.</param>
/// <param name="Length">Length in bytes, zero-filled tail included.</param>
public readonly record struct BootPlacement(string Name, GuestPhysicalAddress Address, ulong Length);
