// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Requests;

/// <summary>One access of an instruction to a device.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Address">The guest-physical address, or the port.</param>
/// <param name="Length">Bytes, 1 to 8.</param>
/// <param name="Data">The data, little-endian, zero above the length: what is written, or was read.</param>
public readonly record struct DeviceAccess(AccessKind Kind, ulong Address, int Length, ulong Data)
{
    /// <summary>The most bytes of one access.</summary>
    public const int MaximumLength = 8;

    /// <summary>Whether the guest gets data.</summary>
    public bool IsRead => Kind is AccessKind.MemoryRead or AccessKind.PortIn;

    /// <summary>Whether it is a port access.</summary>
    public bool IsPort => Kind is AccessKind.PortIn or AccessKind.PortOut;

    /// <summary>Whether another access is the same but for its data.</summary>
    public bool Matches(AccessKind kind, ulong address, int length) => Kind == kind && Address == address && Length == length;
}
