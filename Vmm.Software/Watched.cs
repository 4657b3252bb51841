// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>
/// Something has to be decided before or after each instruction: an answered access, an awaited interrupt window, NMIs that an IRET
/// unblocks, breakpoints.
/// </summary>
internal readonly struct Watched : IWatch
{
    /// <inheritdoc/>
    public static bool IsWatched => true;
}
