// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Timers;

/// <content>The exchange layout: bhyve's class HPET, version 1. A chip of other options than bhyve's has none: EINVAL.</content>
public sealed partial class Hpet
{
    private const int ExchangeTimers = 8;
    private const int HeaderLength = 32;
    private const int TimerLength = 32;
    private const int ExchangeLength = HeaderLength + (ExchangeTimers * TimerLength);

    private bool HasExchange => _timers.Length == ExchangeTimers && !_options.Wide && !_options.LegacyReplacement;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = new(VmmDataClass.Hpet, 1, ExchangeLength, 0);

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        Span<byte> data = request.Data;
        if (data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        if (!HasExchange)
        {
            return new(VmmError.EINVAL, 0);
        }

        data = data[..ExchangeLength];
        data.Clear();
        lock (_lock)
        {
            Synchronize(_clock.Now);
            BinaryPrimitives.WriteUInt64LittleEndian(data, _configuration);
            BinaryPrimitives.WriteUInt64LittleEndian(data[8..], _status);
            BinaryPrimitives.WriteUInt32LittleEndian(data[16..], (uint)_counterBase);
            BinaryPrimitives.WriteInt64LittleEndian(data[24..], _timeBase);
            for (int index = 0; index < ExchangeTimers; index++)
            {
                Export(_timers[index], data.Slice(HeaderLength + (index * TimerLength), TimerLength));
            }
        }

        return new(VmmError.None, ExchangeLength);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// EINVAL: the legacy routing bit; a base in the future; a status bit without a timer, or of one that is not
    /// level-triggered and routed; FSB delivery with level trigger; a route that is not allowed; a target before the base.
    /// A target that does not fit comparator and counter is found anew from these. Lines are not driven.
    /// </remarks>
    public VmmDataResult Write(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        ReadOnlySpan<byte> data = request.Data[..ExchangeLength];
        lock (_lock)
        {
            long now = _clock.Now;
            if (!HasExchange || !CanImport(data, now))
            {
                return new(VmmError.EINVAL, 0);
            }

            _configuration = BinaryPrimitives.ReadUInt64LittleEndian(data) & WritableConfiguration;
            _status = (uint)BinaryPrimitives.ReadUInt64LittleEndian(data[8..]);
            _counterBase = BinaryPrimitives.ReadUInt32LittleEndian(data[16..]);
            _timeBase = BinaryPrimitives.ReadInt64LittleEndian(data[24..]);
            _elapsed = 0;
            for (int index = 0; index < ExchangeTimers; index++)
            {
                Import(ref _timers[index], data.Slice(HeaderLength + (index * TimerLength), TimerLength));
            }

            AdoptLines();
            Synchronize(now);
            Rearm();
        }

        return new(VmmError.None, ExchangeLength);
    }

    private void Export(in HpetTimerState timer, Span<byte> data)
    {
        long target = timer.Target == Never ? 0 : _timeBase + s_rate.TimeOf(timer.Target);
        BinaryPrimitives.WriteUInt64LittleEndian(data, timer.Configuration | TimerCapabilities);
        BinaryPrimitives.WriteUInt64LittleEndian(data[8..], timer.Message);
        BinaryPrimitives.WriteUInt32LittleEndian(data[16..], (uint)timer.Comparator);
        BinaryPrimitives.WriteUInt32LittleEndian(data[20..], (uint)timer.Period);
        BinaryPrimitives.WriteInt64LittleEndian(data[24..], target);
    }

    private bool CanImport(ReadOnlySpan<byte> data, long now)
    {
        ulong status = BinaryPrimitives.ReadUInt64LittleEndian(data[8..]);
        long timeBase = BinaryPrimitives.ReadInt64LittleEndian(data[24..]);
        if ((BinaryPrimitives.ReadUInt64LittleEndian(data) & LegacyRouting) != 0 || timeBase > now || status >> ExchangeTimers != 0)
        {
            return false;
        }

        for (int index = 0; index < ExchangeTimers; index++)
        {
            ReadOnlySpan<byte> timer = data.Slice(HeaderLength + (index * TimerLength), TimerLength);
            ulong configuration = BinaryPrimitives.ReadUInt64LittleEndian(timer);
            long target = BinaryPrimitives.ReadInt64LittleEndian(timer[24..]);
            int route = (int)((configuration & Route) >> RouteShift);
            bool level = (configuration & Level) != 0;
            bool message = (configuration & MessageEnable) != 0;
            bool allowed = route == 0 || (_options.Routes & (1u << route)) != 0;
            bool asserts = (status & (1u << index)) != 0;
            if ((message && level) || !allowed || (asserts && (!level || route == 0)) || (target != 0 && target < timeBase))
            {
                return false;
            }
        }

        return true;
    }

    private void Import(ref HpetTimerState timer, ReadOnlySpan<byte> data)
    {
        ulong configuration = BinaryPrimitives.ReadUInt64LittleEndian(data) & WritableTimer;
        timer = new()
        {
            Configuration = configuration,
            Message = BinaryPrimitives.ReadUInt64LittleEndian(data[8..]),
            Comparator = BinaryPrimitives.ReadUInt32LittleEndian(data[16..]),
            Period = (configuration & Periodic) != 0 ? BinaryPrimitives.ReadUInt32LittleEndian(data[20..]) : 0,
            Target = Never,
        };
        if (!IsEnabled)
        {
            return;
        }

        long target = BinaryPrimitives.ReadInt64LittleEndian(data[24..]);
        ulong span = (ulong)target - (ulong)_timeBase;
        long ticks = target == 0 || span > long.MaxValue ? 0 : s_rate.FirstTickAt((long)span);
        if (ticks > 0 && (uint)((ulong)ticks + _counterBase) == timer.Comparator)
        {
            timer.Target = ticks;
        }
        else
        {
            Start(ref timer);
        }
    }
}
