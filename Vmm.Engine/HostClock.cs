// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Time;

namespace Vmm.Engine;

/// <summary>The host's monotonic clock.</summary>
internal static class HostClock
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The time now.</summary>
    public static HostTime Now => new(FromTimestamp(Stopwatch.GetTimestamp()));

    /// <summary>What a time stamp of <see cref="Stopwatch"/> stands for, in nanoseconds.</summary>
    public static long FromTimestamp(long timestamp) => Stopwatch.Frequency == NanosecondsPerSecond
        ? timestamp
        : (long)((Int128)timestamp * NanosecondsPerSecond / Stopwatch.Frequency);
}
