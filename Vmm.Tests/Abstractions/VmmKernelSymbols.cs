// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Tests.Support;

namespace Vmm.Tests.Abstractions;

/// <summary>The names of the header and their kinds.</summary>
internal static class VmmKernelSymbols
{
    /// <summary>Each name with its kinds, separated by commas.</summary>
    /// <returns>The names.</returns>
    public static Dictionary<string, string> Names() =>
        File.ReadLines(RepositoryFiles.PathOf("Vmm.Tests/Data/vmm-kernel-symbols.tsv"))
            .Skip(1)
            .Select(line => line.Split('\t'))
            .GroupBy(columns => columns[0], columns => columns[1])
            .ToDictionary(group => group.Key, group => string.Join(", ", group));
}
