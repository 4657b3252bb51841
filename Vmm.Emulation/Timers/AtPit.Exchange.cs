// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Timers;

/// <content>
/// The exchange layout: bhyve's class ATPIT, version 1. It knows neither access modes other than both bytes, nor the gate and
/// port 61h: a counter taken from it is accessed by both bytes, and the latter two stay as they are.
/// </content>
public sealed partial class AtPit
{
    private const int CounterLength = 24;
    private const int ExchangeLength = 3 * CounterLength;
    private const byte HasStatus = 1 << 0;
    private const byte HasCount = 1 << 1;
    private const byte WriteIsHigh = 1 << 2;
    private const byte LatchIsLow = 1 << 3;
    private const byte ReadIsHigh = 1 << 4;
    private const byte KnownFlags = 0x1f;
    private const byte NullCountFlag = 0x40;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = new(VmmDataClass.AtPit, 1, ExchangeLength, 0);

    /// <inheritdoc/>
    /// <remarks>
    /// Times are those of the next end of a count, or of the last one when the counter does not repeat; zero stands for a
    /// counter that does not run. bhyve gives a time for counter 0 only, and ignores the others.
    /// </remarks>
    public VmmDataResult Read(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        lock (_lock)
        {
            Synchronize(_clock.Now);
            for (int index = 0; index < 3; index++)
            {
                Export(Counter(index), request.Data.Slice(index * CounterLength, CounterLength));
            }
        }

        return new(VmmError.None, ExchangeLength);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// EINVAL for unknown flags. A time is moved to the next clock pulse, into one period of a counter that repeats, and to
    /// no more than a whole count ahead. A loaded counter without a time starts now. The line is not driven.
    /// </remarks>
    public VmmDataResult Write(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        for (int index = 0; index < 3; index++)
        {
            if ((request.Data[(index * CounterLength) + 8] & ~KnownFlags) != 0)
            {
                return new(VmmError.EINVAL, 0);
            }
        }

        lock (_lock)
        {
            Synchronize(_clock.Now);
            for (int index = 0; index < 3; index++)
            {
                Import(ref Counter(index), request.Data.Slice(index * CounterLength, CounterLength));
            }

            _line = _counter0.State.Output;
            Rearm();
        }

        return new(VmmError.None, ExchangeLength);
    }

    private void Export(in PitCounter counter, Span<byte> data)
    {
        PitCounterState state = counter.State;
        int low = state.WriteHigh ? state.WriteLatch : state.CountRegister & 0xff;
        int status = state.StatusLatched ? state.LatchedStatus : state.NullCount ? NullCountFlag : 0;
        int flags = (state.StatusLatched ? HasStatus : 0) | (state.CountLatched ? HasCount : 0) | (state.WriteHigh ? WriteIsHigh : 0)
            | (state.CountLatched && !state.LatchHigh ? LatchIsLow : 0) | (state.ReadHigh ? ReadIsHigh : 0);
        data.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(data, state.CountRegister);
        BinaryPrimitives.WriteUInt16LittleEndian(data[2..], (ushort)((state.CountRegister & 0xff00) | low));

        // The bytes of a latched count are kept in the order high, low.
        BinaryPrimitives.WriteUInt16LittleEndian(data[4..], BinaryPrimitives.ReverseEndianness(state.LatchedCount));
        data[6] = (byte)status;
        data[7] = (byte)((counter.Mode << 1) | (state.Control & 1));
        data[8] = (byte)flags;
        BinaryPrimitives.WriteInt64LittleEndian(data[16..], ExportTime(counter));
    }

    private long ExportTime(in PitCounter counter)
    {
        if (counter.ToTarget() is not { } ticks)
        {
            return 0;
        }

        // Zero means none, so pulse 0 is given as the nanosecond before it.
        long time = Rate.TimeOf(_tick + ticks);
        return time == 0 ? -1 : time;
    }

    private void Import(ref PitCounter counter, ReadOnlySpan<byte> data)
    {
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(data);
        byte flags = data[8];
        long time = BinaryPrimitives.ReadInt64LittleEndian(data[16..]);
        bool hasCount = (flags & HasCount) != 0;
        bool hasStatus = (flags & HasStatus) != 0;
        int mode = data[7] & 0x0f;
        counter.State = new()
        {
            Control = (byte)(0x30 | ((mode & 4) != 0 ? mode & ~8 : mode)),
            CountRegister = count,
            CountWritten = count != 0 || time != 0,
            WriteHigh = (flags & WriteIsHigh) != 0,
            WriteLatch = (flags & WriteIsHigh) != 0 ? data[2] : (byte)0,
            CountLatched = hasCount,
            LatchedCount = hasCount ? BinaryPrimitives.ReadUInt16BigEndian(data[4..]) : (ushort)0,
            LatchHigh = hasCount && (flags & LatchIsLow) == 0,
            StatusLatched = hasStatus,
            LatchedStatus = hasStatus ? data[6] : (byte)0,
            NullCount = (data[6] & NullCountFlag) != 0,
            ReadHigh = (flags & ReadIsHigh) != 0,
            Gate = counter.State.Gate,
        };
        counter.State.Output = counter.Mode != 0;
        if (time != 0)
        {
            counter.StartTowards(Rate.FirstTickAt(time) - _tick);
        }
        else if (count != 0)
        {
            counter.StartNow();
        }
    }
}
