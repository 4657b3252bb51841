// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>A timer chip seen through what all of them have: registers to access at random, a state, and an exchange layout.</summary>
internal abstract class ChipUnderTest
{
    protected ChipUnderTest(long now) => Clock = new(now: now);

    internal ManualClock Clock { get; }

    protected abstract IVmmDataSource Source { get; }

    internal static ChipUnderTest Create(VmmDataClass kind, long now = 0) => kind switch
    {
        VmmDataClass.AtPit => new PitUnderTest(now),
        VmmDataClass.Hpet => new HpetUnderTest(now),
        VmmDataClass.PmTimer => new PmTimerUnderTest(now),
        _ => new RtcUnderTest(now),
    };

    /// <summary>One access that software makes; what it read.</summary>
    internal abstract ulong Act(Random random);

    /// <summary>One access of any width at any place; what it read.</summary>
    internal abstract ulong Fuzz(ulong place, int bytes, ulong value, bool write);

    internal abstract object Save();

    internal abstract void Restore(object state);

    internal VmmError Import(byte[] data) => Source.Write(new(Source.Entry.DataClass, 1, data)).Error;

    internal byte[] Export()
    {
        byte[] data = new byte[Source.Entry.ExpectedLength];
        Source.Read(new(Source.Entry.DataClass, 1, data)).Should().Be(new VmmDataResult(VmmError.None, Source.Entry.ExpectedLength));
        return data;
    }

    internal VmmDataResult Read(byte[] data) => Source.Read(new(Source.Entry.DataClass, 1, data));

    internal VmmDataResult Write(byte[] data) => Source.Write(new(Source.Entry.DataClass, 1, data));

    /// <summary>Lets some time pass, mostly little.</summary>
    internal void Wait(Random random) => Clock.Advance(random.Next(4) switch
    {
        0 => random.Next(100_000_000),
        1 => random.Next(1_000_000),
        _ => random.Next(10_000),
    });

    private sealed class PitUnderTest : ChipUnderTest
    {
        private readonly AtPit _chip;

        internal PitUnderTest(long now)
            : base(now) => _chip = new(Clock, Clock.Deadlines, new TimedLine(Clock));

        protected override IVmmDataSource Source => _chip;

        internal override ulong Act(Random random)
        {
            ushort port = random.Next(4) == 0 ? (ushort)0x61 : (ushort)(0x40 + random.Next(4));
            return Fuzz(port, 1, (ulong)random.Next(256), random.Next(2) == 0);
        }

        internal override ulong Fuzz(ulong place, int bytes, ulong value, bool write)
        {
            uint read = 0;
            _ = write ? _chip.Write((ushort)place, bytes, (uint)value) : _chip.Read((ushort)place, bytes, out read);
            return read;
        }

        internal override object Save() => _chip.Save();

        internal override void Restore(object state) => _chip.Restore((AtPitState)state);
    }

    private sealed class HpetUnderTest : ChipUnderTest
    {
        private readonly Hpet _chip;

        internal HpetUnderTest(long now)
            : base(now) => _chip = new(Clock, Clock.Deadlines, new RecordingHpetOutputs(Clock));

        protected override IVmmDataSource Source => _chip;

        internal override ulong Act(Random random)
        {
            ulong place = random.Next(3) switch
            {
                0 => (ulong)random.Next(4) switch { 0 => 0x10UL, 1 => 0x20, 2 => 0xf0, _ => 0 },
                _ => (ulong)(0x100 + (0x20 * random.Next(8)) + (8 * random.Next(3))),
            };
            ulong value = random.Next(3) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(0x10000) | 5;
            return Fuzz(place, 8, value, random.Next(3) != 0);
        }

        internal override ulong Fuzz(ulong place, int bytes, ulong value, bool write)
        {
            if (!write)
            {
                return _chip.Read(place, bytes);
            }

            _chip.Write(place, bytes, value);
            return 0;
        }

        internal override object Save() => _chip.Save();

        internal override void Restore(object state) => _chip.Restore((HpetState)state);
    }

    private sealed class PmTimerUnderTest : ChipUnderTest
    {
        private readonly PmTimer _chip;

        internal PmTimerUnderTest(long now)
            : base(now) => _chip = new(Clock, Clock.Deadlines, new() { SystemControlInterrupt = new TimedLine(Clock), Narrow = true });

        protected override IVmmDataSource Source => _chip;

        internal override ulong Act(Random random) =>
            Fuzz((ulong)random.Next(5), random.Next(1, 5), (ulong)random.Next(), random.Next(2) == 0);

        internal override ulong Fuzz(ulong place, int bytes, ulong value, bool write)
        {
            uint read = 0;
            if (place == 4)
            {
                _ = write ? PmTimer.Write() : _chip.Read(bytes, out read);
            }
            else if (write)
            {
                _chip.WriteEvents((int)place, bytes, (uint)value);
            }
            else
            {
                read = _chip.ReadEvents((int)place, bytes);
            }

            return read;
        }

        internal override object Save() => _chip.Save();

        internal override void Restore(object state) => _chip.Restore((PmTimerState)state);
    }

    private sealed class RtcUnderTest : ChipUnderTest
    {
        private readonly Rtc _chip;

        internal RtcUnderTest(long now)
            : base(now) => _chip = new(Clock, Clock.Deadlines, new TimedLine(Clock), new DateTimeOffset(2024, 2, 28, 23, 59, 58, TimeSpan.Zero));

        protected override IVmmDataSource Source => _chip;

        internal override ulong Act(Random random)
        {
            _chip.Write(0x70, 1, (uint)random.Next(random.Next(3) == 0 ? 128 : 14));
            return Fuzz(0x71, 1, (ulong)random.Next(random.Next(2) == 0 ? 256 : 0x80), random.Next(2) == 0);
        }

        internal override ulong Fuzz(ulong place, int bytes, ulong value, bool write)
        {
            uint read = 0;
            _ = write ? _chip.Write((ushort)place, bytes, (uint)value) : _chip.Read((ushort)place, bytes, out read);
            return read;
        }

        internal override object Save() => _chip.Save();

        internal override void Restore(object state) => _chip.Restore((RtcState)state);
    }
}
