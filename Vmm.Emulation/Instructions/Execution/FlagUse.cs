// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What an instruction does with the status flags that it finds.</summary>
[Flags]
internal enum FlagUse : byte
{
    /// <summary>Leaves them, or some of them, as they are.</summary>
    None = 0,

    /// <summary>Looks at them, or may stop in front of itself, where they show.</summary>
    Reads = 1,

    /// <summary>Replaces all six whatever happens, if it completes.</summary>
    Replaces = 2,
}
