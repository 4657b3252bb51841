// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>The processor features that have a name, and how to find one.</summary>
public static partial class CpuFeatures
{
    /// <summary>Finds a feature by its exact name.</summary>
    /// <param name="name">The name, as /proc/cpuinfo spells it.</param>
    /// <param name="feature">The feature.</param>
    /// <returns><see langword="false"/> when no feature has that name.</returns>
    public static bool TryFind(string name, out CpuFeature feature)
    {
        foreach (CpuFeature candidate in All)
        {
            if (candidate.Name == name)
            {
                feature = candidate;
                return true;
            }
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
        string nearest = All[0].Name;
        int least = int.MaxValue;
        foreach (CpuFeature candidate in All)
        {
            int distance = Distance(name, candidate.Name);
            if (distance < least)
            {
                least = distance;
                nearest = candidate.Name;
            }
        }

        return nearest;
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

    /// <summary>The Levenshtein distance, ignoring case; names longer than any feature's are cut.</summary>
    private static int Distance(string first, string second)
    {
        const int Longest = 64;
        ReadOnlySpan<char> left = first.AsSpan(0, Math.Min(first.Length, Longest));
        Span<int> row = stackalloc int[second.Length + 1];
        for (int column = 0; column < row.Length; column++)
        {
            row[column] = column;
        }

        for (int line = 1; line <= left.Length; line++)
        {
            int diagonal = row[0];
            row[0] = line;
            for (int column = 1; column < row.Length; column++)
            {
                bool same = char.ToLowerInvariant(left[line - 1]) == second[column - 1];
                int replaced = diagonal + (same ? 0 : 1);
                diagonal = row[column];
                row[column] = Math.Min(replaced, Math.Min(row[column], row[column - 1]) + 1);
            }
        }

        return row[^1];
    }
}
