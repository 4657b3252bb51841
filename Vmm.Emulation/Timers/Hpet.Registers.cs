// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <content>The register window (HPET 1.0a, 2.3).</content>
public sealed partial class Hpet
{
    private const ulong CapabilitiesRegister = 0x000;
    private const ulong ConfigurationRegister = 0x010;
    private const ulong StatusRegister = 0x020;
    private const ulong CounterRegister = 0x0f0;
    private const ulong FirstTimer = 0x100;
    private const int TimerShift = 5;

    private const ulong Enable = 1 << 0;
    private const ulong LegacyRouting = 1 << 1;

    private const ulong Level = 1 << 1;
    private const ulong InterruptEnable = 1 << 2;
    private const ulong Periodic = 1 << 3;
    private const ulong PeriodicCapable = 1 << 4;
    private const ulong WideCapable = 1 << 5;
    private const ulong SetValue = 1 << 6;
    private const ulong Narrow = 1 << 8;
    private const int RouteShift = 9;
    private const ulong Route = 0x1f << RouteShift;
    private const ulong MessageEnable = 1 << 14;
    private const ulong MessageCapable = 1 << 15;

    private enum TimerRegister
    {
        Configuration,
        Comparator,
        Message,
        Reserved,
    }

    private ulong WritableConfiguration => Enable | (_options.LegacyReplacement ? LegacyRouting : 0);

    private ulong WritableTimer =>
        Level | InterruptEnable | Periodic | SetValue | Route | MessageEnable | (_options.Wide ? Narrow : 0);

    private ulong TimerCapabilities =>
        PeriodicCapable | MessageCapable | (_options.Wide ? WideCapable : 0) | ((ulong)_options.Routes << 32);

    /// <summary>The guest reads.</summary>
    /// <param name="offset">The offset in the window; beyond it zero is read.</param>
    /// <param name="bytes">4 or 8, naturally aligned; else zero is read.</param>
    public ulong Read(ulong offset, int bytes)
    {
        if (!IsAccess(offset, bytes))
        {
            return 0;
        }

        ulong value;
        lock (_lock)
        {
            Synchronize(_clock.Now);
            value = ReadRegister(offset & ~7UL);
        }

        return bytes == 8 ? value : (uint)(value >> ((int)(offset & 4) * 8));
    }

    /// <summary>The guest writes.</summary>
    /// <param name="offset">The offset in the window; nothing happens beyond it.</param>
    /// <param name="bytes">4 or 8, naturally aligned; else nothing happens.</param>
    /// <param name="value">The value.</param>
    public void Write(ulong offset, int bytes, ulong value)
    {
        if (!IsAccess(offset, bytes))
        {
            return;
        }

        int shift = (int)(offset & 4) * 8;
        ulong mask = bytes == 8 ? ulong.MaxValue : (ulong)uint.MaxValue << shift;
        lock (_lock)
        {
            Synchronize(_clock.Now);
            WriteRegister(offset & ~7UL, value << shift, mask);
            Rearm();
        }
    }

    private static bool IsAccess(ulong offset, int bytes) =>
        bytes is 4 or 8 && offset < WindowSize && (offset & (ulong)(bytes - 1)) == 0;

    private static ulong Merge(ulong old, ulong value, ulong mask) => (old & ~mask) | (value & mask);

    private bool IsWide(in HpetTimerState timer) => _options.Wide && (timer.Configuration & Narrow) == 0;

    private ulong Truncate(in HpetTimerState timer, ulong value) => IsWide(timer) ? value : (uint)value;

    private bool TryFindTimer(ulong offset, out int index, out TimerRegister register)
    {
        index = (int)((offset - FirstTimer) >> TimerShift);
        register = (TimerRegister)((offset >> 3) & 3);
        return offset >= FirstTimer && index < _timers.Length && register != TimerRegister.Reserved;
    }

    private ulong ReadRegister(ulong offset)
    {
        if (TryFindTimer(offset, out int index, out TimerRegister register))
        {
            ref HpetTimerState timer = ref _timers[index];
            return register switch
            {
                TimerRegister.Configuration => timer.Configuration | TimerCapabilities,
                TimerRegister.Comparator => timer.Comparator,
                _ => timer.Message,
            };
        }

        return offset switch
        {
            CapabilitiesRegister => Capabilities,
            ConfigurationRegister => _configuration,
            StatusRegister => _status,
            CounterRegister => Counter,
            _ => 0,
        };
    }

    private void WriteRegister(ulong offset, ulong value, ulong mask)
    {
        if (TryFindTimer(offset, out int index, out TimerRegister register))
        {
            ref HpetTimerState timer = ref _timers[index];
            switch (register)
            {
                case TimerRegister.Configuration:
                    WriteTimer(index, value, mask);
                    break;
                case TimerRegister.Comparator:
                    WriteComparator(ref timer, value, mask);
                    break;
                default:
                    timer.Message = Merge(timer.Message, value, mask);
                    break;
            }

            return;
        }

        switch (offset)
        {
            case ConfigurationRegister:
                WriteConfiguration(Merge(_configuration, value, mask) & WritableConfiguration);
                break;
            case StatusRegister:
                _status &= ~(uint)(value & mask);
                UpdateLines();
                break;
            case CounterRegister:
                WriteCounter(value, mask);
                break;
            default:
                break;
        }
    }

    private void WriteConfiguration(ulong value)
    {
        ulong changed = _configuration ^ value;
        ulong counter = Counter;
        if ((changed & LegacyRouting) != 0)
        {
            // The timers concerned are routed anew: what they assert is taken back, as with any change of a route.
            _status &= ~((1u << LegacyTimers) - 1);
            UpdateLines();
        }

        _configuration = value;
        if ((changed & LegacyRouting) != 0)
        {
            _outputs.SetLegacyRouting(IsLegacy);
        }

        if ((changed & Enable) == 0)
        {
            return;
        }

        _counterBase = counter;
        if (IsEnabled)
        {
            StartAll();
            return;
        }

        for (int index = 0; index < _timers.Length; index++)
        {
            _timers[index].Target = Never;
        }
    }

    private void WriteCounter(ulong value, ulong mask)
    {
        _counterBase = Truncate(Merge(Counter, value, mask));
        if (IsEnabled)
        {
            StartAll();
        }
    }

    private void WriteTimer(int index, ulong value, ulong mask)
    {
        ref HpetTimerState timer = ref _timers[index];
        int pin = Pin(index);
        bool wide = IsWide(timer);
        ulong configuration = Merge(timer.Configuration, value, mask) & WritableTimer;
        if ((configuration & MessageEnable) != 0)
        {
            configuration &= ~Level;
        }

        if ((_options.Routes & ~1u & (1u << (int)((configuration & Route) >> RouteShift))) == 0)
        {
            configuration &= ~Route;
        }

        timer.Configuration = configuration;
        if ((configuration & Periodic) == 0)
        {
            timer.Period = 0;
        }

        bool level = (configuration & (Level | InterruptEnable)) == (Level | InterruptEnable);
        if (!level || Pin(index) != pin)
        {
            _status &= ~(1u << index);
            UpdateLines();
        }

        if (IsWide(timer) != wide)
        {
            timer.Comparator = Truncate(timer, timer.Comparator);
            timer.Period = Truncate(timer, timer.Period);
            if (IsEnabled)
            {
                Start(ref timer);
            }
        }
    }

    private void WriteComparator(ref HpetTimerState timer, ulong value, ulong mask)
    {
        ulong comparator = timer.Comparator;
        ulong period = timer.Period;
        if ((timer.Configuration & Periodic) != 0)
        {
            timer.Period = Truncate(timer, Merge(period, value, mask));
            if ((timer.Configuration & SetValue) != 0)
            {
                timer.Comparator = timer.Period;
            }
        }
        else
        {
            timer.Comparator = Truncate(timer, Merge(comparator, value, mask));
        }

        timer.Configuration &= ~SetValue;
        if (IsEnabled && (timer.Comparator != comparator || timer.Period != period))
        {
            Start(ref timer);
        }
    }
}
