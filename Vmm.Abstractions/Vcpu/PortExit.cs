// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>A port access (<c>struct vm_inout</c>).</summary>
/// <param name="Port">The port.</param>
/// <param name="Bytes">Bytes of one element: 1, 2 or 4.</param>
/// <param name="Flags">Direction and kind.</param>
/// <param name="Count">
/// Elements in this exit, at least 1. More than one only for string instructions; their data is in the vCPU's exit data.
/// </param>
/// <param name="Eax">For a single OUT the value, zero-extended; else 0.</param>
public readonly record struct PortExit(ushort Port, byte Bytes, PortFlags Flags, uint Count, uint Eax)
{
    /// <summary>Whether the guest wants data.</summary>
    public bool IsIn => (Flags & PortFlags.In) != 0;
}
