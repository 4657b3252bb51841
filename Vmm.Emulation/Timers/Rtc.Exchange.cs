// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Timers;

/// <content>The exchange layout: bhyve's class RTC, version 1.</content>
public sealed partial class Rtc
{
    private const int ExchangeLength = 160;
    private const int AddressOffset = 128;
    private const int TimeBaseOffset = 136;
    private const int SecondsOffset = 144;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = new(VmmDataClass.Rtc, 1, ExchangeLength, 0);

    /// <inheritdoc/>
    /// <remarks>All ones stand for a time that does not exist; the fraction of a second is in the time base.</remarks>
    public VmmDataResult Read(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        Span<byte> data = request.Data[..ExchangeLength];
        data.Clear();
        lock (_lock)
        {
            Synchronize(_clock.Now);
            ShowTime();
            _memory.CopyTo(data);
            data[StatusC] |= IsRequesting ? InterruptRequest : (byte)0;
            data[AddressOffset] = _address;
            BinaryPrimitives.WriteInt64LittleEndian(data[TimeBaseOffset..], _timeBase);
            BinaryPrimitives.WriteInt64LittleEndian(data[SecondsOffset..], _isValid ? _seconds : -1);
        }

        return new(VmmError.None, ExchangeLength);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Nothing is refused. Bits that cannot be set are cleared, the date in the registers gives way to the time unless the
    /// guest holds them, and the clock goes on to the present. The line is not driven.
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
            data[..MemorySize].CopyTo(_memory);
            CleanRegisters();
            _address = (byte)(data[AddressOffset] & 0x7f);
            _timeBase = Math.Min(BinaryPrimitives.ReadInt64LittleEndian(data[TimeBaseOffset..]), now);
            _seconds = BinaryPrimitives.ReadInt64LittleEndian(data[SecondsOffset..]);
            _isValid = _seconds is >= 0 and <= LastSecond;
            _seconds = _isValid ? _seconds : 0;
            _ticks = (int)Math.Clamp(TicksAt(now), 0, TicksPerSecond - 1);
            _line = IsRequesting;
            Synchronize(now);
            Update();
        }

        return new(VmmError.None, ExchangeLength);
    }
}
