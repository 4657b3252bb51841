// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>Whatever holds a vCPU's registers, as saving and restoring see it.</summary>
public interface IMsrTarget
{
    /// <summary>Reads a register.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">Its value.</param>
    /// <returns>Whether it exists.</returns>
    bool TryGetMsr(MsrIndex index, out ulong value);

    /// <summary>Writes a register.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns>Whether it was accepted.</returns>
    bool TrySetMsr(MsrIndex index, ulong value);
}
