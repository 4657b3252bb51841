// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;

namespace Vmm.Software;

/// <summary>What the time-stamp counters of a VM count: nanoseconds since it was made, all vCPUs the same. Any thread.</summary>
/// <param name="time">Time that instructions make; null for the host's.</param>
internal sealed class SoftwareClock(InstructionTime? time)
{
    /// <summary>The rate of the guest's TSC in Hz.</summary>
    public const long Frequency = 1_000_000_000;

    private readonly long _start = Stopwatch.GetTimestamp();

    /// <summary>The counter's value.</summary>
    public ulong Ticks
    {
        get
        {
            if (time is not null)
            {
                return (ulong)time.Clock.Now;
            }

            // On Linux the host counts nanoseconds too, and nothing is left to convert.
            long elapsed = Stopwatch.GetTimestamp() - _start;
            return (ulong)(Stopwatch.Frequency == Frequency ? elapsed : (long)((Int128)elapsed * Frequency / Stopwatch.Frequency));
        }
    }
}
