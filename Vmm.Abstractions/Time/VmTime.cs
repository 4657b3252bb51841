// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Time;

/// <summary>A time in nanoseconds since a VM's boot (a normalized <c>hrtime_t</c>).</summary>
/// <param name="Nanoseconds">Nanoseconds; negative before boot.</param>
public readonly record struct VmTime(long Nanoseconds)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Nanoseconds} ns";
}
