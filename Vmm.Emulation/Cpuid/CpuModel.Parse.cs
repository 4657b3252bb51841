// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Vmm.Emulation.Cpuid;

/// <content>The written form.</content>
public sealed partial class CpuModel
{
    private const string HostName = "host";
    private const string HypervisorPrefix = "hypervisor=";
    private const string FileSuffix = ".json";

    private static readonly ImmutableArray<(string Name, CpuModelBase Base)> s_bases =
    [
        (HostName, CpuModelBase.Host),
        ("max", CpuModelBase.Max),
        ("pvm-friendly", CpuModelBase.PvmFriendly),
        ("x86-64-v1", CpuModelBase.Level1),
        ("x86-64-v2", CpuModelBase.Level2),
        ("x86-64-v3", CpuModelBase.Level3),
        ("x86-64-v4", CpuModelBase.Level4),
    ];

    /// <summary>The names of the bases that need no file.</summary>
    public static ImmutableArray<string> BaseNames { get; } = [.. s_bases.Select(known => known.Name)];

    /// <summary>Reads a model whose base is a name.</summary>
    /// <param name="text">The base, then features with a sign each, separated by commas.</param>
    /// <param name="model">The model.</param>
    /// <param name="problem">Otherwise what is wrong and what to write instead.</param>
    /// <returns>Whether the text is a model.</returns>
    public static bool TryParse(
        string text, [NotNullWhen(true)] out CpuModel? model, [NotNullWhen(false)] out string? problem) =>
        TryParse(text, null, out model, out problem);

    /// <summary>Reads a model.</summary>
    /// <param name="text">The base or a file that ends in <c>.json</c>, then features with a sign each, separated by commas.</param>
    /// <param name="readProfile">Reads a file's text; null where files are not allowed. What it throws is passed on.</param>
    /// <param name="model">The model.</param>
    /// <param name="problem">Otherwise what is wrong and what to write instead.</param>
    /// <returns>Whether the text is a model.</returns>
    public static bool TryParse(
        string text,
        Func<string, string>? readProfile,
        [NotNullWhen(true)] out CpuModel? model,
        [NotNullWhen(false)] out string? problem) =>
        TryParse(text, readProfile, [], out model, out problem);

    /// <summary>Reads a model, whose base may be a profile that the caller has under a name.</summary>
    /// <param name="text">The base or a file that ends in <c>.json</c>, then features with a sign each, separated by commas.</param>
    /// <param name="readProfile">Reads a file's text; null where files are not allowed. What it throws is passed on.</param>
    /// <param name="profiles">Profiles that are found by their names. A base's name means the base.</param>
    /// <param name="model">The model.</param>
    /// <param name="problem">Otherwise what is wrong and what to write instead.</param>
    /// <returns>Whether the text is a model.</returns>
    public static bool TryParse(
        string text,
        Func<string, string>? readProfile,
        ReadOnlySpan<CpuProfile> profiles,
        [NotNullWhen(true)] out CpuModel? model,
        [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        model = null;
        string[] parts = text.Split(',');
        if (!TryFindBase(parts[0], readProfile, profiles, out CpuModelBase start, out CpuProfile? profile, out problem)
            || !TryParseParts(parts.AsSpan(1), out HypervisorLeaves? hypervisor, out ImmutableArray<CpuFeatureChange> changes, out problem))
        {
            return false;
        }

        model = new CpuModel(start, profile, hypervisor, changes, parts[0]);
        return true;
    }

    /// <summary>Reads the features and the hypervisor leaves of a model.</summary>
    private static bool TryParseParts(
        ReadOnlySpan<string> parts,
        out HypervisorLeaves? hypervisor,
        out ImmutableArray<CpuFeatureChange> changes,
        [NotNullWhen(false)] out string? problem)
    {
        hypervisor = null;
        ImmutableArray<CpuFeatureChange>.Builder found = ImmutableArray.CreateBuilder<CpuFeatureChange>();
        changes = [];
        foreach (string part in parts)
        {
            if (part.StartsWith(HypervisorPrefix, StringComparison.Ordinal))
            {
                if (!TryParseHypervisor(part[HypervisorPrefix.Length..], out HypervisorLeaves leaves, out problem))
                {
                    return false;
                }

                hypervisor = leaves;
                continue;
            }

            if (part.Length < 2 || part[0] is not ('+' or '-'))
            {
                problem = $"'{part}' is not a feature with a sign, such as -cx16 or +x2apic, nor hypervisor=kvm|vmm|none";
                return false;
            }

            if (!CpuFeatures.TryFind(part[1..], out CpuFeature feature))
            {
                problem = UnknownFeature(part[1..]);
                return false;
            }

            found.Add(new CpuFeatureChange(feature, part[0] == '+'));
        }

        changes = found.ToImmutable();
        problem = null;
        return true;
    }

    private static bool TryParseHypervisor(string text, out HypervisorLeaves leaves, [NotNullWhen(false)] out string? problem)
    {
        (bool isKnown, leaves) = text switch
        {
            "kvm" => (true, HypervisorLeaves.Kvm),
            "vmm" => (true, HypervisorLeaves.Vmm),
            "none" => (true, HypervisorLeaves.None),
            _ => (false, default),
        };
        problem = isKnown ? null : $"hypervisor: '{text}' is not kvm, vmm or none";
        return isKnown;
    }

    private static string UnknownFeature(string name) => CpuinfoWords.TryFind(name, out CpuinfoWord word)
        ? word.Sources.IsEmpty
            ? $"'{name}' is a word of Linux' own, no bit of CPUID: {word.Meaning}"
            : $"'{name}' is a word that Linux derives; the bits are {string.Join(", ", word.Sources)}"
        : $"no processor feature is called '{name}'; did you mean '{CpuFeatures.Nearest(name)}'?";

    private static bool TryFindBase(
        string name,
        Func<string, string>? readProfile,
        ReadOnlySpan<CpuProfile> profiles,
        out CpuModelBase start,
        out CpuProfile? profile,
        [NotNullWhen(false)] out string? problem)
    {
        profile = null;
        problem = null;
        foreach ((string known, CpuModelBase value) in s_bases)
        {
            if (known == name)
            {
                start = value;
                return true;
            }
        }

        start = CpuModelBase.Profile;
        ImmutableArray<string> all = BaseNames;
        foreach (CpuProfile candidate in profiles)
        {
            if (candidate.Name == name)
            {
                profile = candidate;
                return true;
            }

            all = all.Add(candidate.Name);
        }

        if (!name.EndsWith(FileSuffix, StringComparison.Ordinal))
        {
            string names = string.Join(", ", all);
            problem = $"no processor model is called '{name}'; did you mean '{NearestName.Of(name, all)}'? A model begins with one of {names} or a profile's file F.json, then come features such as -cx16";
            return false;
        }

        if (readProfile is null)
        {
            problem = $"'{name}' is a file, which cannot be a model here";
            return false;
        }

        if (CpuProfile.TryParse(readProfile(name), out profile, out string? reason))
        {
            return true;
        }

        problem = $"{name}: {reason}";
        return false;
    }
}
