// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>Instructions that whoever executes for a hypervisor may want to treat by itself.</summary>
public enum SpecialInstruction : byte
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary>PAUSE.</summary>
    Pause,

    /// <summary>INT3.</summary>
    Breakpoint,

    /// <summary>VMCALL or VMMCALL.</summary>
    Hypercall,
}
