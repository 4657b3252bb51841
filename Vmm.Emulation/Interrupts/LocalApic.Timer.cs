// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Emulation.Interrupts;

/// <content>The timer: one-shot, periodic and TSC-deadline.</content>
/// <remarks>
/// The expiry is exact: whole nanoseconds and a remainder in units of 1/frequency ns, so that a period that is no whole number of
/// nanoseconds does not drift. The deadline is the first nanosecond at or after it.
/// </remarks>
public sealed partial class LocalApic : IDeadlineHandler
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private readonly IVirtualClock _clock;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly Lock _timerLock = new();

    private uint _initialCount;
    private uint _divideConfiguration;
    private long _expiry;
    private ulong _expiryRemainder;
    private ulong _tscDeadline;
    private long _tscOffset;

    /// <summary>
    /// What the guest's TSC has at virtual time zero; from there it counts with the options' frequency. Setting it moves a
    /// TSC deadline that is armed. Owner.
    /// </summary>
    public long TscOffset
    {
        get => _tscOffset;
        set
        {
            lock (_timerLock)
            {
                _tscOffset = value;
                if (_tscDeadline != 0)
                {
                    ArmForTsc();
                }
            }
        }
    }

    private ulong Frequency => (ulong)_options.TimerFrequency;

    // Divide configuration: bits 0, 1 and 3 are the power of two less one; all ones divides by 1.
    private int DivideShift => (int)(((_divideConfiguration & 3) | ((_divideConfiguration & 8) >> 1)) + 1) & 7;

    private uint TimerMode => ReadLvt(LocalVector.Timer) & ApicBits.LvtTimerModes;

    private long Due => _expiry + (_expiryRemainder != 0 ? 1 : 0);

    /// <inheritdoc/>
    void IDeadlineHandler.DeadlineReached(int timer, long now)
    {
        lock (_timerLock)
        {
            if (_expiry == 0 || now < Due)
            {
                return;
            }

            if (TimerMode == ApicBits.LvtTimerPeriodic && _initialCount != 0)
            {
                NextPeriod(now);
            }
            else
            {
                ClearExpiry();
            }
        }

        Fire(LocalVector.Timer);
    }

    private void NextPeriod(long now)
    {
        AddPeriod();
        if (Due <= now)
        {
            // A whole period late: the missed ones are lost and the next is a period from now.
            _expiry = now;
            _expiryRemainder = 0;
            AddPeriod();
        }

        _deadlines.Arm(_deadline, Due);
    }

    private void AddPeriod()
    {
        UInt128 numerator = ((UInt128)_initialCount << DivideShift) * NanosecondsPerSecond;
        (UInt128 whole, UInt128 remainder) = UInt128.DivRem(numerator, Frequency);
        _expiry += (long)whole;
        _expiryRemainder += (ulong)remainder;
        if (_expiryRemainder >= Frequency)
        {
            _expiryRemainder -= Frequency;
            _expiry++;
        }
    }

    private void WriteInitialCount(uint value)
    {
        lock (_timerLock)
        {
            if ((TimerMode & ApicBits.LvtTimerDeadline) != 0)
            {
                // SDM volume 3, "TSC-Deadline Mode": the register is ignored.
                return;
            }

            _initialCount = value;
            StartCount();
        }
    }

    private void StartCount()
    {
        ClearExpiry();
        if (_initialCount == 0)
        {
            _deadlines.Disarm(_deadline);
            return;
        }

        _expiry = _clock.Now;
        AddPeriod();
        _deadlines.Arm(_deadline, Due);
    }

    // A count that runs keeps its expiry: only what is counted from now on has the new rate.
    private void WriteDivideConfiguration(uint value)
    {
        lock (_timerLock)
        {
            _divideConfiguration = value;
        }
    }

    private uint ReadCurrentCount()
    {
        lock (_timerLock)
        {
            if (_expiry == 0 || (TimerMode & ApicBits.LvtTimerDeadline) != 0)
            {
                return 0;
            }

            Int128 left = ((Int128)(_expiry - _clock.Now) * (long)Frequency) + (long)_expiryRemainder;
            Int128 tick = (Int128)NanosecondsPerSecond << DivideShift;
            if (left > 0)
            {
                return (uint)Int128.Min((left + tick - 1) / tick, _initialCount);
            }

            // The deadline has passed and its report is on the way; a periodic count has begun anew meanwhile.
            return TimerMode == ApicBits.LvtTimerPeriodic && _initialCount != 0
                ? _initialCount - (uint)(-left / tick % _initialCount)
                : 0;
        }
    }

    private void WriteTimerLvt(uint value)
    {
        lock (_timerLock)
        {
            uint before = TimerMode;
            Volatile.Write(ref _lvt[(int)LocalVector.Timer], value);
            if (((before ^ value) & ApicBits.LvtTimerDeadline) != 0)
            {
                // SDM volume 3, "TSC-Deadline Mode": entering and leaving it disarms the timer.
                _initialCount = 0;
                ClearExpiry();
                _deadlines.Disarm(_deadline);
            }
        }
    }

    private ulong ReadTscDeadline()
    {
        lock (_timerLock)
        {
            return _tscDeadline;
        }
    }

    private void WriteTscDeadline(ulong value)
    {
        bool reached = false;
        lock (_timerLock)
        {
            if (TimerMode != ApicBits.LvtTimerDeadline)
            {
                return;
            }

            ClearExpiry();
            _tscDeadline = value;
            if (value == 0)
            {
                _deadlines.Disarm(_deadline);
                return;
            }

            ArmForTsc();
            if (_expiry <= _clock.Now)
            {
                ClearExpiry();
                _deadlines.Disarm(_deadline);
                reached = true;
            }
        }

        if (reached)
        {
            Fire(LocalVector.Timer);
        }
    }

    private void ArmForTsc()
    {
        // An expiry of zero stands for none, so that a deadline before boot is one nanosecond after it.
        Int128 cycles = (Int128)_tscDeadline - _tscOffset;
        Int128 frequency = _options.TscFrequency;
        Int128 due = ((cycles * (long)NanosecondsPerSecond) + frequency - 1) / frequency;
        _expiry = (long)Int128.Clamp(due, 1, long.MaxValue - 1);
        _expiryRemainder = 0;
        _deadlines.Arm(_deadline, _expiry);
    }

    // Software disable stops the count; enabling starts a periodic one again.
    private void PauseTimer()
    {
        lock (_timerLock)
        {
            ClearExpiry();
            _deadlines.Disarm(_deadline);
        }
    }

    private void ResumeTimer()
    {
        lock (_timerLock)
        {
            if (TimerMode == ApicBits.LvtTimerPeriodic)
            {
                StartCount();
            }
        }
    }

    private void StopTimer()
    {
        lock (_timerLock)
        {
            _initialCount = 0;
            ClearExpiry();
            _deadlines.Disarm(_deadline);
        }
    }

    private void ClearExpiry()
    {
        _expiry = 0;
        _expiryRemainder = 0;
        _tscDeadline = 0;
    }
}
