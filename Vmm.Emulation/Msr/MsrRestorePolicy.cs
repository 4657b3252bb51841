// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>Which refused registers end a restore.</summary>
public sealed record MsrRestorePolicy
{
    private MsrRestorePolicy(bool isFatal, ImmutableHashSet<MsrIndex> tolerated)
    {
        IsFatal = isFatal;
        Tolerated = tolerated;
    }

    /// <summary>Each one does.</summary>
    public static MsrRestorePolicy Fatal { get; } = new(true, []);

    /// <summary>None does; all are reported.</summary>
    public static MsrRestorePolicy Warn { get; } = new(false, []);

    /// <summary>Whether a refusal ends the restore, unless it is tolerated.</summary>
    public bool IsFatal { get; }

    /// <summary>The registers whose refusal is only reported.</summary>
    public ImmutableHashSet<MsrIndex> Tolerated { get; }

    /// <summary>Each one does but those that are listed.</summary>
    /// <param name="registers">The list.</param>
    /// <returns>The policy.</returns>
    public static MsrRestorePolicy AllowList(IEnumerable<MsrIndex> registers) => new(true, [.. registers]);

    /// <summary>Whether a refusal ends the restore.</summary>
    /// <param name="index">The refused register.</param>
    /// <returns>Whether it does.</returns>
    public bool Ends(MsrIndex index) => IsFatal && !Tolerated.Contains(index);
}
