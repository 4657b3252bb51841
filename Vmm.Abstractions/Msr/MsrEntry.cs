// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>A model-specific register and its value.</summary>
/// <param name="Index">The register.</param>
/// <param name="Value">The value.</param>
public readonly record struct MsrEntry(MsrIndex Index, ulong Value);
