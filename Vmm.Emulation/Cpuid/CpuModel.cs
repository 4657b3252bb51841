// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// The processor that a guest sees: everything the hypervisor can give, less and plus features by name, written
/// <c>host,-cx16,+x2apic</c>. Immutable.
/// </summary>
public sealed class CpuModel
{
    private const string HostName = "host";

    private CpuModel(ImmutableArray<CpuFeatureChange> changes)
    {
        Changes = changes;
    }

    /// <summary>Everything the hypervisor can give.</summary>
    public static CpuModel Host { get; } = new([]);

    /// <summary>The features that are turned off and on, in the order in which they were written; later ones win.</summary>
    public ImmutableArray<CpuFeatureChange> Changes { get; }

    /// <summary>Reads a model.</summary>
    /// <param name="text">The base <c>host</c>, then features with a sign each, separated by commas.</param>
    /// <param name="model">The model.</param>
    /// <param name="problem">Otherwise what is wrong and what to write instead.</param>
    /// <returns>Whether the text is a model.</returns>
    public static bool TryParse(
        string text, [NotNullWhen(true)] out CpuModel? model, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        model = null;
        string[] parts = text.Split(',');
        if (parts[0] != HostName)
        {
            problem = $"a processor model begins with '{HostName}', such as {HostName},-cx16; not with '{parts[0]}'";
            return false;
        }

        ImmutableArray<CpuFeatureChange>.Builder changes = ImmutableArray.CreateBuilder<CpuFeatureChange>();
        foreach (string part in parts.AsSpan(1))
        {
            if (part.Length < 2 || part[0] is not ('+' or '-'))
            {
                problem = $"'{part}' is not a feature with a sign, such as -cx16 or +x2apic";
                return false;
            }

            string name = part[1..];
            if (!CpuFeatures.TryFind(name, out CpuFeature feature))
            {
                problem = $"no processor feature is called '{name}'; did you mean '{CpuFeatures.Nearest(name)}'?";
                return false;
            }

            changes.Add(new CpuFeatureChange(feature, part[0] == '+'));
        }

        model = new CpuModel(changes.ToImmutable());
        problem = null;
        return true;
    }

    /// <summary>Says which feature is wanted and cannot be had.</summary>
    /// <param name="supported">What the hypervisor can give.</param>
    /// <returns>The first such feature's name, or null.</returns>
    public string? FindUnsupported(ReadOnlySpan<CpuidEntry> supported)
    {
        foreach (CpuFeatureChange change in Changes)
        {
            if (change.Enabled && !CpuFeatures.Has(supported, change.Feature))
            {
                return change.Feature.Name;
            }
        }

        return null;
    }

    /// <summary>Turns features off and on in a vCPU's entries.</summary>
    /// <param name="entries">The vCPU's entries, made from what the hypervisor can give; changed in place.</param>
    /// <param name="supported">What the hypervisor can give.</param>
    /// <exception cref="VmmException">ENOTSUP: a wanted feature cannot be had; no entry has changed.</exception>
    public void Apply(Span<CpuidEntry> entries, ReadOnlySpan<CpuidEntry> supported)
    {
        if (FindUnsupported(supported) is { } name)
        {
            throw new VmmException(
                "CpuModel.Apply", VmmError.ENOTSUP, $"the hypervisor cannot give guests the processor feature '{name}' on this host");
        }

        foreach (CpuFeatureChange change in Changes)
        {
            foreach (ref CpuidEntry entry in entries)
            {
                if (change.Feature.IsIn(entry))
                {
                    entry = change.Feature.With(entry, change.Enabled);
                }
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Concat([HostName, .. Changes.Select(change => $",{(change.Enabled ? '+' : '-')}{change.Feature.Name}")]);
}
