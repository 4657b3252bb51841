// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>Finds what a misspelt name may have meant.</summary>
public static class NearestName
{
    /// <summary>Longer than any name; what lies beyond adds nothing that could make a name the nearest one.</summary>
    private const int Longest = 64;

    /// <summary>The name that differs least from what was written.</summary>
    /// <param name="written">What was written.</param>
    /// <param name="names">The names, of at most 64 letters each; at least one.</param>
    /// <returns>The name with the smallest edit distance; the first one among equals.</returns>
    public static string Of(string written, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(written);
        ArgumentNullException.ThrowIfNull(names);
        return names.MinBy(name => Distance(written, name)) ?? throw new ArgumentException("there is no name", nameof(names));
    }

    /// <summary>
    /// The edit distance, ignoring case: letters added, left out, replaced, or swapped with their neighbour.
    /// </summary>
    private static int Distance(string first, string second)
    {
        ReadOnlySpan<char> left = first.AsSpan(0, Math.Min(first.Length, Longest));
        ReadOnlySpan<char> right = second.AsSpan(0, Math.Min(second.Length, Longest));
        int width = right.Length + 1;
        Span<int> above = stackalloc int[Longest + 1];
        Span<int> previous = stackalloc int[Longest + 1];
        Span<int> row = stackalloc int[Longest + 1];
        for (int column = 0; column < width; column++)
        {
            previous[column] = column;
        }

        for (int line = 1; line <= left.Length; line++)
        {
            row[0] = line;
            for (int column = 1; column < width; column++)
            {
                int replaced = previous[column - 1] + (Same(left[line - 1], right[column - 1]) ? 0 : 1);
                row[column] = Math.Min(replaced, Math.Min(previous[column], row[column - 1]) + 1);
                bool swapped = line > 1 && column > 1
                    && Same(left[line - 1], right[column - 2])
                    && Same(left[line - 2], right[column - 1]);
                if (swapped)
                {
                    row[column] = Math.Min(row[column], above[column - 2] + 1);
                }
            }

            previous.CopyTo(above);
            row.CopyTo(previous);
        }

        return previous[width - 1];
    }

    private static bool Same(char written, char known) => char.ToLowerInvariant(written) == char.ToLowerInvariant(known);
}
