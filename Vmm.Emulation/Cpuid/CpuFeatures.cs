// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Frozen;
using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>The processor features that have a name, and how to find one.</summary>
public static partial class CpuFeatures
{
    private static readonly Lazy<FrozenDictionary<string, int>> s_byName = new(() =>
        All.Select((feature, number) => (feature.Name, number)).ToFrozenDictionary(pair => pair.Name, pair => pair.number));

    private static readonly Lazy<ImmutableArray<ImmutableArray<int>>> s_needs = new(() =>
        [.. All.Select(feature => feature.Needs.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(NumberOf).ToImmutableArray())]);

    /// <summary>Every feature that has a name, ordered by leaf, register and bit within each group of leaves.</summary>
    public static ImmutableArray<CpuFeature> All { get; } = [.. Basic(), .. Structured(), .. State(), .. Paravirtual(), .. Extended()];

    /// <summary>
    /// Bits that follow the vCPU's state (OSXSAVE, OSPKE), its place (HTT, CmpLegacy) or the hypervisor, and that a
    /// processor without them does not stand in the way of.
    /// </summary>
    public static ImmutableArray<string> FromTheMachine { get; } =
        ["osxsave", "ospke", "ht", "cmp_legacy", "hypervisor", "tsc_deadline_timer"];

    /// <summary>Finds a feature by its exact name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="feature">The feature.</param>
    /// <returns><see langword="false"/> when no feature has that name.</returns>
    public static bool TryFind(string name, out CpuFeature feature)
    {
        if (s_byName.Value.TryGetValue(name, out int number))
        {
            feature = All[number];
            return true;
        }

        feature = default;
        return false;
    }

    /// <summary>The name that differs least from a misspelt one.</summary>
    /// <param name="name">What was written.</param>
    /// <returns>The name with the smallest edit distance; the first one in the table's order among equals.</returns>
    public static string Nearest(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NearestName.Of(name, All.Select(feature => feature.Name));
    }

    /// <summary>Whether a feature's bit is set in a set of entries.</summary>
    /// <param name="entries">CPUID's answers.</param>
    /// <param name="feature">The feature.</param>
    /// <returns>Whether some entry shows the feature.</returns>
    public static bool Has(ReadOnlySpan<CpuidEntry> entries, in CpuFeature feature)
    {
        foreach (ref readonly CpuidEntry entry in entries)
        {
            if (feature.IsIn(entry) && feature.IsSet(entry))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A feature's place in <see cref="All"/>.</summary>
    internal static int NumberOf(string name) => s_byName.Value[name];

    /// <summary>The places of the features that one needs.</summary>
    internal static ImmutableArray<int> NeedsOf(int number) => s_needs.Value[number];
}
