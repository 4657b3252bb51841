// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>A feature that a processor model turns on or off.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Enabled">Whether it is turned on.</param>
public readonly record struct CpuFeatureChange(CpuFeature Feature, bool Enabled);
