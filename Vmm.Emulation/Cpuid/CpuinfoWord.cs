// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Emulation.Cpuid;

/// <summary>A word of the flags in /proc/cpuinfo that is no bit of CPUID.</summary>
/// <param name="Name">The word.</param>
/// <param name="Meaning">What it says.</param>
/// <param name="Sources">The features of which any makes Linux show the word; empty when it follows from something else.</param>
public readonly record struct CpuinfoWord(string Name, string Meaning, ImmutableArray<string> Sources);
