// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>One thing in which two processors differ.</summary>
/// <param name="What">What it is.</param>
/// <param name="First">The first processor's.</param>
/// <param name="Second">The second processor's.</param>
public readonly record struct CpuDifference(string What, string First, string Second);
