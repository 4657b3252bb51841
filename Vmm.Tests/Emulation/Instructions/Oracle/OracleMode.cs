// SPDX-License-Identifier: BSD-2-Clause

using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>The state of the CPU in which forms are compared.</summary>
public enum OracleMode
{
    /// <summary>64-bit code at CPL 3.</summary>
    User64,

    /// <summary>64-bit code at CPL 0.</summary>
    Kernel64,

    /// <summary>32-bit protected mode without paging, CPL 0.</summary>
    Protected32,

    /// <summary>16-bit protected mode without paging, CPL 0.</summary>
    Protected16,

    /// <summary>Real mode.</summary>
    Real,
}

/// <summary>What follows from a mode.</summary>
internal static class OracleModes
{
    internal static CodeSize CodeSize(this OracleMode mode) => mode switch
    {
        OracleMode.User64 or OracleMode.Kernel64 => Vmm.Emulation.Instructions.Decoding.CodeSize.Bits64,
        OracleMode.Protected32 => Vmm.Emulation.Instructions.Decoding.CodeSize.Bits32,
        _ => Vmm.Emulation.Instructions.Decoding.CodeSize.Bits16,
    };

    internal static bool Is64(this OracleMode mode) => mode is OracleMode.User64 or OracleMode.Kernel64;
}
