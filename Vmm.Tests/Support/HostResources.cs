// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Support;

/// <summary>
/// The process's descriptors by kind, for tests that nothing is left behind. Files of the runtime, which opens them when it likes, do not
/// count.
/// </summary>
internal sealed class HostResources
{
    private readonly Dictionary<string, int> _kinds = [];

    public static HostResources Count()
    {
        HostResources resources = new();
        foreach (string link in Directory.GetFiles("/proc/self/fd"))
        {
            string? target = new FileInfo(link).LinkTarget;
            if (target is not null && (target.StartsWith("anon_inode:", StringComparison.Ordinal)
                || target.StartsWith("/memfd:", StringComparison.Ordinal)
                || target.StartsWith("/dev/", StringComparison.Ordinal)))
            {
                resources._kinds[target] = resources._kinds.GetValueOrDefault(target) + 1;
            }
        }

        return resources;
    }

    /// <summary>What there is more of than before.</summary>
    public IEnumerable<string> LeftOver(HostResources before) => _kinds
        .Where(kind => kind.Value > before._kinds.GetValueOrDefault(kind.Key))
        .Select(kind => $"{kind.Value - before._kinds.GetValueOrDefault(kind.Key)} of {kind.Key}");
}
