// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;
using Vmm.Machine.Devices;

namespace Vmm.Machine.Replay;

/// <summary>Gives a guest the input of a recording, at the times at which it came then.</summary>
public sealed class InputPlayer : IDeadlineHandler
{
    private readonly ManualClock _clock;
    private readonly SerialPort _port;
    private readonly InputRecording _recording;
    private readonly Deadline _deadline;
    private int _next;

    /// <summary>Begins to play; before the machine runs.</summary>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="port">The serial port that gets the input.</param>
    /// <param name="recording">What it gets.</param>
    public InputPlayer(ManualClock clock, SerialPort port, InputRecording recording)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(port);
        ArgumentNullException.ThrowIfNull(recording);
        _clock = clock;
        _port = port;
        _recording = recording;
        _deadline = clock.Deadlines.Create(this, 0);
        clock.Deadlines.Arm(_deadline, clock.Now - (clock.Now % InputRecording.Interval) + InputRecording.Interval);
    }

    /// <summary>
    /// Whether the guest has taken something else than then: another image, or other options. From there on it is another run.
    /// </summary>
    public bool HasDiverged { get; private set; }

    void IDeadlineHandler.DeadlineReached(int timer, long now)
    {
        if (_next < _recording.Inputs.Length && _recording.Inputs[_next] is var input && input.Time <= now)
        {
            HasDiverged |= _port.QueueInput(input.Data.AsSpan()) != input.Data.Length || input.Time != now;
            _next++;
        }

        _clock.Deadlines.Arm(_deadline, now + InputRecording.Interval);
    }
}
