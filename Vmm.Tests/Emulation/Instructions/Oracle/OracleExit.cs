// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>How execution ended.</summary>
internal enum OracleExit
{
    /// <summary>Something that nobody expects.</summary>
    Other,

    /// <summary>At the port, with the OUT retired.</summary>
    Port,

    /// <summary>HLT.</summary>
    Halted,

    /// <summary>A triple fault.</summary>
    Shutdown,

    /// <summary>The side does not have the instruction.</summary>
    NotExecuted,
}
