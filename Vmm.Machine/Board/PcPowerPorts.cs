// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;

namespace Vmm.Machine.Board;

/// <summary>The ports through which a guest resets a PC or turns it off. May be used from any thread.</summary>
/// <remarks>
/// <para>
/// Reset: command FEh to the keyboard controller, which pulses the processor's reset line (IBM PC AT Technical Reference,
/// keyboard controller commands); bit 2 of the reset control register CF9h (Intel I/O controller hubs, RST_CNT).
/// </para>
/// <para>
/// Power: SLP_EN in PM1a_CNT (ACPI specification, section 4.8.3.2.1), whatever the sleep type, as no sleeping state but S5
/// exists. SCI_EN is always set: the machine is in ACPI mode from the beginning. Of the fixed events (PM1a_STS and PM1a_EN, section
/// 4.8.3.1) only the timer's happens; the enable bits of the global lock, the buttons and the clock keep what is written, by which a
/// guest sees that the hardware is there.
/// </para>
/// </remarks>
internal sealed class PcPowerPorts(Action<VcpuId, MachineEnd, string> end, PmTimer timer) : IPortHandler
{
    public const ushort KeyboardStatus = 0x64;
    public const ushort ResetControl = 0xcf9;
    public const ushort Events = 0x600;
    public const ushort PowerManagementControl = 0x604;
    public const ushort Timer = 0x608;
    public const byte SystemControlInterrupt = 9;
    private const int EnableOffset = 2;

    // GBL_EN, PWRBTN_EN, SLPBTN_EN and RTC_EN.
    private const uint OtherEvents = (1 << 5) | (1 << 8) | (1 << 9) | (1 << 10);
    private const uint PulseReset = 0xfe;
    private const uint ResetProcessor = 1 << 2;
    private const uint SleepEnable = 1 << 13;
    private const uint InAcpiMode = 1;

    // There is no keyboard controller; but a guest that waits for an empty input buffer before it pulses the line must
    // not wait for ever.
    private const uint InputBufferEmpty = 0xfd;

    private readonly Lock _lock = new();
    private uint _resetControl;
    private uint _otherEnabled;
    private uint _powerControl = InAcpiMode;

    /// <summary>The ports to attach this to.</summary>
    public static ReadOnlySpan<ushort> Ports =>
    [
        KeyboardStatus, ResetControl, Events, Events + 1, Events + 2, Events + 3, PowerManagementControl, PowerManagementControl + 1,
    ];

    /// <inheritdoc/>
    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        value = port switch
        {
            KeyboardStatus => InputBufferEmpty,
            ResetControl => Volatile.Read(ref _resetControl),
            >= Events and < PowerManagementControl => ReadEvents(port - Events, bytes),
            PowerManagementControl => Volatile.Read(ref _powerControl),
            _ => Volatile.Read(ref _powerControl) >> 8,
        };
        return PortOutcome.Handled;
    }

    /// <inheritdoc/>
    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        switch (port)
        {
            case KeyboardStatus when (value & 0xff) == PulseReset:
                end(vcpu.Id, MachineEnd.Reset, "the guest pulsed the reset line of the keyboard controller (port 0x64)");
                break;
            case ResetControl:
                Volatile.Write(ref _resetControl, value & 0xff & ~ResetProcessor);
                if ((value & ResetProcessor) != 0)
                {
                    end(vcpu.Id, MachineEnd.Reset, "the guest wrote to the reset control register (port 0xcf9)");
                }

                break;
            case >= Events and < PowerManagementControl:
                WriteEvents(port - Events, bytes, value);
                break;
            case PowerManagementControl:
                WritePower(vcpu, value & 0xffff);
                break;
            case PowerManagementControl + 1:
                WritePower(vcpu, (value & 0xff) << 8);
                break;
            default:
                break;
        }

        return PortOutcome.Handled;
    }

    private uint ReadEvents(int offset, int bytes)
    {
        uint others;
        lock (_lock)
        {
            others = _otherEnabled << (EnableOffset * 8) >> (offset * 8);
        }

        return timer.ReadEvents(offset, bytes) | (bytes >= sizeof(uint) ? others : others & ((1u << (bytes * 8)) - 1));
    }

    private void WriteEvents(int offset, int bytes, uint value)
    {
        timer.WriteEvents(offset, bytes, value);
        ulong written = ((1ul << (bytes * 8)) - 1) << (offset * 8) >> (EnableOffset * 8);
        ulong bits = (ulong)value << (offset * 8) >> (EnableOffset * 8);
        lock (_lock)
        {
            _otherEnabled = (uint)(((_otherEnabled & ~written) | (bits & written)) & OtherEvents);
        }
    }

    private void WritePower(IVirtualCpu vcpu, uint value)
    {
        Volatile.Write(ref _powerControl, (value & ~SleepEnable) | InAcpiMode);
        if ((value & SleepEnable) != 0)
        {
            end(vcpu.Id, MachineEnd.PowerOff, "the guest turned the power off (port 0x604)");
        }
    }
}
