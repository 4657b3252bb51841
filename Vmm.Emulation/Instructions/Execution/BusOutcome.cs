// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What became of an access that the binding serves.</summary>
public enum BusOutcome : byte
{
    /// <summary>Served.</summary>
    Done,

    /// <summary>Someone else has to serve it first; the instruction will be executed again and must then find it served.</summary>
    Pending,

    /// <summary>It cannot be served here.</summary>
    Refused,

    /// <summary>The access raises #GP(0) (an MSR that does not exist, a reserved bit).</summary>
    GeneralProtection,
}
