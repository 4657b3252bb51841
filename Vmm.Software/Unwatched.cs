// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>Nobody looks: the fast way.</summary>
internal readonly struct Unwatched : IWatch
{
    /// <inheritdoc/>
    public static bool IsWatched => false;
}
