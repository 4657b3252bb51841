// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Software;

/// <summary>
/// Time that instructions make: each takes a nanosecond, and random bits come from a seed. With one vCPU and without input from outside,
/// two runs of a guest are then equal bit for bit.
/// </summary>
/// <remarks>For one VM, whose engine gets the same clock. The clock is turned on the thread of the vCPU that executes.</remarks>
public sealed class InstructionTime
{
    private ulong _random;
    private long _nextCheckpoint = long.MaxValue;
    private long _checkpointInterval;

    /// <summary>Makes the time of a VM.</summary>
    /// <param name="clock">The VM's clock.</param>
    /// <param name="seed">What random bits follow from.</param>
    public InstructionTime(ManualClock clock, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(clock);
        Clock = clock;
        Seed = seed;
        _random = seed;
    }

    /// <summary>The VM's clock.</summary>
    public ManualClock Clock { get; }

    /// <summary>What random bits follow from.</summary>
    public ulong Seed { get; }

    /// <summary>How many instructions have been executed; a batch of a repeated one counts as one.</summary>
    public long Instructions { get; private set; }

    /// <summary>
    /// Told after each interval, with the instructions so far, between two instructions and on the thread of the vCPU, whose state and
    /// memory it may read.
    /// </summary>
    public Action<long>? Checkpoint { get; init; }

    /// <summary>After how many instructions <see cref="Checkpoint"/> is told; 0 for never.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public long CheckpointInterval
    {
        get => _checkpointInterval;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _checkpointInterval = value;
            _nextCheckpoint = value == 0 ? long.MaxValue : value;
        }
    }

    /// <summary>How many instructions may execute before somebody has to look: up to the next deadline or checkpoint.</summary>
    internal long Limit(long batch)
    {
        long due = Clock.Deadlines.NextDue;
        long untilDue = due == long.MaxValue ? batch : Math.Max(due - Clock.Now, 1);
        return Math.Min(batch, Math.Min(untilDue, Math.Max(_nextCheckpoint - Instructions, 1)));
    }

    /// <summary>Instructions were executed: time has passed, and what is due is run.</summary>
    internal void Pass(long executed)
    {
        if (executed == 0)
        {
            return;
        }

        Instructions += executed;
        Clock.Advance(executed);
        if (Instructions >= _nextCheckpoint)
        {
            _nextCheckpoint = Instructions + _checkpointInterval;
            Checkpoint?.Invoke(Instructions);
        }
    }

    /// <summary>The next of a sequence of numbers that depends on the seed alone: SplitMix64.</summary>
    internal ulong NextRandom()
    {
        unchecked
        {
            _random += 0x9e37_79b9_7f4a_7c15;
            ulong mixed = (_random ^ (_random >> 30)) * 0xbf58_476d_1ce4_e5b9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d0_49bb_1331_11eb;
            return mixed ^ (mixed >> 31);
        }
    }
}
