// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>A feature that is on without one that it needs.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Missing">What it needs and what is off.</param>
public readonly record struct CpuViolation(CpuFeature Feature, CpuFeature Missing)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Feature.Name} needs {Missing.Name}, which is off";
}
