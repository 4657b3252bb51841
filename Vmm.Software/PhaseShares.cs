// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <summary>Time that a vCPU was seen in each phase. One thread counts, any may read.</summary>
internal sealed class PhaseShares
{
    private const int Phases = (int)ExecutionPhase.Walk + 1;

    private readonly long[] _ticks = new long[Phases];
    private long _samples;

    /// <summary>How often the vCPU was looked at.</summary>
    public long Samples => Volatile.Read(ref _samples);

    /// <summary>The time of a phase in seconds.</summary>
    public double Seconds(ExecutionPhase phase) => Volatile.Read(ref _ticks[(int)phase]) / (double)Stopwatch.Frequency;

    /// <summary>The vCPU was seen in a phase.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="ticks">Of <see cref="Stopwatch"/>, since it was looked at before.</param>
    public void Count(ExecutionPhase phase, long ticks)
    {
        _ticks[(int)phase] += ticks;
        _samples++;
    }
}
