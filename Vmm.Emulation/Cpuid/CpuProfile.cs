// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// A processor written down: either a named base with changes, or leaf by leaf; with values of model-specific registers
/// beside it. Immutable. Its form as JSON is described by docs/cpu-profile.schema.json.
/// </summary>
public sealed record CpuProfile
{
    /// <summary>What it is called; may be empty.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it is for; may be empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>The base when there are no leaves, and the changes and hypervisor leaves in either case. Not a profile itself.</summary>
    public CpuModel Model { get; init; } = CpuModel.Host;

    /// <summary>The leaves; empty when the base is a named one.</summary>
    public ImmutableArray<CpuidEntry> Leaves { get; init; } = [];

    /// <summary>The registers that each vCPU starts with beyond its reset state.</summary>
    public ImmutableArray<MsrEntry> Msrs { get; init; } = [];

    /// <summary>Reads a profile.</summary>
    /// <param name="json">The text.</param>
    /// <param name="profile">The profile.</param>
    /// <param name="problem">Otherwise what is wrong with it, and where.</param>
    /// <returns>Whether the text is a profile.</returns>
    public static bool TryParse(
        string json, [NotNullWhen(true)] out CpuProfile? profile, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            profile = CpuProfileReader.Read(json);
            problem = null;
            return true;
        }
        catch (CpuProfileException reason)
        {
            profile = null;
            problem = reason.Message;
            return false;
        }
    }

    /// <summary>Writes the profile.</summary>
    /// <returns>Indented JSON that <see cref="TryParse"/> reads.</returns>
    public string ToJson() => CpuProfileWriter.Write(this);
}
