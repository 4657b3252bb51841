// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Time;

namespace Vmm.Emulation.Timers;

/// <summary>The state of an 8254 that a hypervisor has, as a state of <see cref="AtPit"/>.</summary>
public static class AtPitImage
{
    private const byte GateBit = 1;
    private const byte SpeakerBit = 2;
    private static TickRate Rate => AtPit.Rate;

    /// <summary>Reads the state.</summary>
    /// <param name="state">The hypervisor's state.</param>
    /// <param name="now">The VM's time.</param>
    /// <param name="hostNow">The host's time.</param>
    /// <returns>The state, with the counters where the time since their loading has brought them.</returns>
    public static AtPitState Read(in Backend8254 state, long now, HostTime hostNow)
    {
        PitCounterState counter0 = Read(state.Counter0, hostNow);
        return new AtPitState
        {
            Version = AtPitState.CurrentVersion,
            Tick = Rate.TicksAt(now),
            Counter0 = counter0,
            Counter1 = Read(state.Counter1, hostNow),
            Counter2 = Read(state.Counter2, hostNow),
            SystemControl = (byte)((state.Counter2.Gate ? GateBit : 0) | (state.SpeakerEnabled ? SpeakerBit : 0)),
            Line = counter0.Output,
        };
    }

    /// <summary>The hypervisor's state for a state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="hostNow">The host's time, at which the counts begin anew.</param>
    /// <returns>The hypervisor's state.</returns>
    public static Backend8254 Write(in AtPitState state, HostTime hostNow) => new(
        Write(state.Counter0, hostNow),
        Write(state.Counter1, hostNow),
        Write(state.Counter2, hostNow),
        (state.SystemControl & SpeakerBit) != 0);

    private static PitCounterState Read(in Backend8254Counter counter, HostTime hostNow)
    {
        if (!counter.IsProgrammed)
        {
            return PitCounter.PowerOn(counter.Gate);
        }

        PitCounter read = new()
        {
            State = new PitCounterState
            {
                Control = counter.Control,
                CountRegister = counter.CountRegister,
                CountWritten = true,
                WriteHigh = counter.WriteHigh,
                WriteLatch = counter.WriteHigh ? counter.WriteLatch : (byte)0,
                ReadHigh = counter.ReadHigh,
                CountLatched = counter.CountLatched,
                LatchedCount = counter.LatchedCount,
                LatchHigh = counter.LatchHigh,
                StatusLatched = counter.StatusLatched,
                LatchedStatus = counter.LatchedStatus,
                Gate = counter.Gate,
            },
        };
        read.State.Output = read.Mode != 0;
        read.StartNow();
        long since = Math.Max(hostNow.Nanoseconds - counter.LoadedAt.Nanoseconds, 0);
        read.Advance(Rate.TicksAt(since) + 1);
        return read.State;
    }

    private static Backend8254Counter Write(in PitCounterState state, HostTime hostNow) => new()
    {
        // A control word without a count counts from nothing there, as it does here until the count comes.
        IsProgrammed = state.CountWritten || state.Control != PitCounter.PowerOn(state.Gate).Control,
        Control = state.Control,
        CountRegister = state.CountRegister,
        LoadedAt = hostNow,
        Gate = state.Gate,
        WriteLatch = state.WriteLatch,
        WriteHigh = state.WriteHigh,
        ReadHigh = state.ReadHigh,
        CountLatched = state.CountLatched,
        LatchedCount = state.LatchedCount,
        LatchHigh = state.LatchHigh,
        StatusLatched = state.StatusLatched,
        LatchedStatus = state.LatchedStatus,
    };
}
