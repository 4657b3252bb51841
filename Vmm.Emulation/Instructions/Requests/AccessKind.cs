// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Requests;

/// <summary>What an instruction asks of a device.</summary>
public enum AccessKind : byte
{
    /// <summary>A read of memory-mapped input.</summary>
    MemoryRead,

    /// <summary>A write of memory-mapped output.</summary>
    MemoryWrite,

    /// <summary>A port input.</summary>
    PortIn,

    /// <summary>A port output.</summary>
    PortOut,
}
