// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Time;

/// <summary>A time in nanoseconds of the host's monotonic clock (<c>hrtime_t</c>).</summary>
/// <param name="Nanoseconds">Nanoseconds since an arbitrary beginning.</param>
public readonly record struct HostTime(long Nanoseconds)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Nanoseconds} ns";
}
