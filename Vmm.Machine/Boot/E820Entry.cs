// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>One range of the firmware memory map.</summary>
/// <param name="Base">First address.</param>
/// <param name="Length">Length in bytes, not zero.</param>
/// <param name="Type">What the range holds.</param>
public readonly record struct E820Entry(GuestPhysicalAddress Base, ulong Length, E820Type Type)
{
    /// <summary>Last address of the range.</summary>
    public GuestPhysicalAddress Last => new(Base.Value + (Length - 1));
}
