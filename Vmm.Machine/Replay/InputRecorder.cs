// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Emulation.Timers;
using Vmm.Machine.Devices;

namespace Vmm.Machine.Replay;

/// <summary>
/// Takes console input from any thread and gives it to a guest at fixed times of its clock, so that a run with input can be repeated.
/// </summary>
/// <remarks>
/// A guest whose time is made by instructions spends no time waiting, and a second after a prompt hours may have passed on its clock. While
/// nothing is typed the recorder holds its clock back to the host's.
/// </remarks>
public sealed class InputRecorder : IDeadlineHandler
{
    /// <summary>What waits outside the serial port; more is not taken until the guest has read.</summary>
    private const int Capacity = 4096;

    private readonly object _gate = new();
    private readonly ManualClock _clock;
    private readonly SerialPort _port;
    private readonly Action<InputEvent> _record;
    private readonly Action? _onRoom;
    private readonly Deadline _deadline;
    private readonly byte[] _waiting = new byte[Capacity];
    private readonly long _start = Stopwatch.GetTimestamp();
    private int _count;
    private bool _isFull;

    /// <summary>Begins to look for input; before the machine runs.</summary>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="port">The serial port that gets the input.</param>
    /// <param name="record">Told of each input as it reaches the port, on the thread that turns the clock.</param>
    /// <param name="onRoom">Told when there is room for more after <see cref="Queue"/> has taken less than all; null for nobody.</param>
    public InputRecorder(ManualClock clock, SerialPort port, Action<InputEvent> record, Action? onRoom = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(port);
        ArgumentNullException.ThrowIfNull(record);
        _clock = clock;
        _port = port;
        _record = record;
        _onRoom = onRoom;
        _deadline = clock.Deadlines.Create(this, 0);
        clock.Deadlines.Arm(_deadline, clock.Now - (clock.Now % InputRecording.Interval) + InputRecording.Interval);
    }

    /// <summary>Takes input; any thread.</summary>
    /// <returns>How many bytes were taken, from the beginning.</returns>
    public int Queue(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            int taken = Math.Min(data.Length, Capacity - _count);
            data[..taken].CopyTo(_waiting.AsSpan(_count));
            _count += taken;
            _isFull |= taken < data.Length;
            Monitor.PulseAll(_gate);
            return taken;
        }
    }

    void IDeadlineHandler.DeadlineReached(int timer, long now)
    {
        InputEvent? input;
        bool hasRoom;
        lock (_gate)
        {
            HoldBack(now);
            int taken = _port.QueueInput(_waiting.AsSpan(0, _count));
            input = taken == 0 ? null : new InputEvent(now, [.. _waiting.AsSpan(0, taken)]);
            _waiting.AsSpan(taken, _count - taken).CopyTo(_waiting);
            _count -= taken;
            hasRoom = _isFull && _count < Capacity;
            _isFull &= !hasRoom;
        }

        if (input is not null)
        {
            _record(input);
        }

        if (hasRoom)
        {
            _onRoom?.Invoke();
        }

        _clock.Deadlines.Arm(_deadline, now + InputRecording.Interval);
    }

    /// <summary>Waits until the host's time has caught up, somebody types, or a moment is over, so that the machine can be stopped.</summary>
    private void HoldBack(long now)
    {
        const int Moment = 20;
        TimeSpan ahead = TimeSpan.FromMicroseconds(now / 1000) - Stopwatch.GetElapsedTime(_start);
        if (_count == 0 && ahead.TotalMilliseconds >= 1)
        {
            Monitor.Wait(_gate, (int)Math.Min(ahead.TotalMilliseconds, Moment));
        }
    }
}
