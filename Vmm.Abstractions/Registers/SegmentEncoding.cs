// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>Translates x86's three-bit segment-register encoding.</summary>
public static class SegmentEncoding
{
    /// <summary>The register that an encoding means: 0 to 5 for ES, CS, SS, DS, FS and GS.</summary>
    /// <param name="encoding">The encoding, 0 to 5.</param>
    /// <returns>The register.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The encoding is not 0 to 5.</exception>
    [VmmKernelSymbol("vm_segment_name")]
    public static RegisterName ToRegisterName(int encoding)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(encoding);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(encoding, 5);
        return RegisterName.Es + encoding;
    }
}
