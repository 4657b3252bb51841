// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Cpuid;

/// <summary>A processor model made concrete for one host.</summary>
/// <param name="Definition">The processor; what the host lacks is still in it.</param>
/// <param name="Msrs">The registers that each vCPU starts with beyond its reset state.</param>
/// <param name="Messages">What was turned on or off besides what was asked for.</param>
/// <param name="Problems">What keeps it from running on this host, in words; empty when nothing does.</param>
/// <param name="Missing">The names of the features among them.</param>
public sealed record CpuResolution(
    CpuDefinition Definition,
    ImmutableArray<MsrEntry> Msrs,
    ImmutableArray<string> Messages,
    ImmutableArray<string> Problems,
    ImmutableArray<string> Missing);
