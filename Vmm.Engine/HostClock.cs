// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Time;

namespace Vmm.Engine;

/// <summary>The host's monotonic clock.</summary>
internal static class HostClock
{
    /// <summary>The time now.</summary>
    public static HostTime Now => new((long)(Stopwatch.GetTimestamp() * (1_000_000_000.0 / Stopwatch.Frequency)));
}
