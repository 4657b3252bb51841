// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <content>Where a match leads: I/O APIC inputs, the legacy lines, or messages.</content>
public sealed partial class Hpet
{
    private bool IsMessage(int index) => (_timers[index].Configuration & MessageEnable) != 0;

    private bool IsLegacyTimer(int index) => IsLegacy && index < LegacyTimers;

    // The legacy lines take precedence over the timer's own routing (HPET 1.0a, 2.3.5, LEG_RT_CNF).
    private int Pin(int index) => IsMessage(index) || IsLegacyTimer(index)
        ? 0
        : (int)((_timers[index].Configuration & Route) >> RouteShift);

    private bool IsConnected(int index) => IsLegacyTimer(index) || IsMessage(index) || Pin(index) != 0;

    private void Interrupt(int index)
    {
        uint bit = 1u << index;
        ref HpetTimerState timer = ref _timers[index];
        if ((timer.Configuration & InterruptEnable) == 0 || (_status & bit) != 0 || !IsConnected(index))
        {
            return;
        }

        if (IsMessage(index) && !IsLegacyTimer(index))
        {
            _outputs.SendMessage((uint)(timer.Message >> 32), (uint)timer.Message);
        }
        else if ((timer.Configuration & Level) != 0)
        {
            _status |= bit;
            UpdateLines();
        }
        else
        {
            Pulse(index);
        }
    }

    private void Pulse(int index)
    {
        int pin = Pin(index);
        if (IsLegacyTimer(index))
        {
            _outputs.SetLegacyLine(index, true);
            _outputs.SetLegacyLine(index, false);
        }
        else if ((_pins & (1u << pin)) == 0)
        {
            _outputs.SetPin(pin, true);
            _outputs.SetPin(pin, false);
        }
    }

    // Timers may share an input: it is asserted while one of them asserts it.
    private (uint Pins, uint Legacy) Levels()
    {
        uint pins = 0;
        uint legacy = 0;
        for (uint rest = _status; rest != 0; rest &= rest - 1)
        {
            int index = System.Numerics.BitOperations.TrailingZeroCount(rest);
            if (IsLegacyTimer(index))
            {
                legacy |= 1u << index;
            }
            else
            {
                pins |= 1u << Pin(index);
            }
        }

        return (pins & ~1u, legacy);
    }

    private void UpdateLines()
    {
        (uint pins, uint legacy) = Levels();
        for (uint changed = _pins ^ pins; changed != 0; changed &= changed - 1)
        {
            int pin = System.Numerics.BitOperations.TrailingZeroCount(changed);
            _outputs.SetPin(pin, (pins & (1u << pin)) != 0);
        }

        for (uint changed = _legacyLines ^ legacy; changed != 0; changed &= changed - 1)
        {
            int line = System.Numerics.BitOperations.TrailingZeroCount(changed);
            _outputs.SetLegacyLine(line, (legacy & (1u << line)) != 0);
        }

        _pins = pins;
        _legacyLines = legacy;
    }

    private void AdoptLines()
    {
        _status &= _timers.Length == 32 ? uint.MaxValue : (1u << _timers.Length) - 1;
        (_pins, _legacyLines) = Levels();
    }
}
