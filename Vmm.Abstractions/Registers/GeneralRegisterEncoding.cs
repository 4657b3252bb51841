// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>Translates x86's four-bit general-register encoding (RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15).</summary>
public static class GeneralRegisterEncoding
{
    private static ReadOnlySpan<byte> Names =>
    [
        (byte)RegisterName.Rax, (byte)RegisterName.Rcx, (byte)RegisterName.Rdx, (byte)RegisterName.Rbx,
        (byte)RegisterName.Rsp, (byte)RegisterName.Rbp, (byte)RegisterName.Rsi, (byte)RegisterName.Rdi,
        (byte)RegisterName.R8, (byte)RegisterName.R9, (byte)RegisterName.R10, (byte)RegisterName.R11,
        (byte)RegisterName.R12, (byte)RegisterName.R13, (byte)RegisterName.R14, (byte)RegisterName.R15,
    ];

    /// <summary>The register that an encoding means.</summary>
    /// <param name="encoding">The encoding, 0 to 15, with REX included.</param>
    /// <returns>The register.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The encoding is not 0 to 15.</exception>
    public static RegisterName ToRegisterName(int encoding)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(encoding);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(encoding, 15);
        return (RegisterName)Names[encoding];
    }
}
