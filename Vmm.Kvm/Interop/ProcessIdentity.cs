// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Globalization;

namespace Vmm.Kvm.Interop;

/// <summary>Who a process is when it opens a file.</summary>
/// <param name="User">The effective user.</param>
/// <param name="Groups">The effective group and the supplementary ones.</param>
internal sealed record ProcessIdentity(uint User, ImmutableArray<uint> Groups)
{
    private const string StatusFile = "/proc/self/status";

    /// <summary>This process (proc_pid_status(5)).</summary>
    public static ProcessIdentity Current()
    {
        uint user = uint.MaxValue;
        ImmutableArray<uint>.Builder groups = ImmutableArray.CreateBuilder<uint>();
        foreach (string line in File.ReadLines(StatusFile))
        {
            string[] fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            switch (fields)
            {
                // Real, effective, saved, file system.
                case ["Uid:", _, string effective, ..]:
                    user = uint.Parse(effective, CultureInfo.InvariantCulture);
                    break;
                case ["Gid:", _, string effective, ..]:
                    groups.Add(uint.Parse(effective, CultureInfo.InvariantCulture));
                    break;
                case ["Groups:", .. string[] numbers]:
                    groups.AddRange(numbers.Select(static number => uint.Parse(number, CultureInfo.InvariantCulture)));
                    break;
                default:
                    break;
            }
        }

        return new ProcessIdentity(user, groups.ToImmutable());
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"user {FileNode.NameIn("/etc/passwd", User)} in the groups {string.Join(", ", Groups.Distinct().Select(static group => FileNode.NameIn("/etc/group", group)))}";
}
