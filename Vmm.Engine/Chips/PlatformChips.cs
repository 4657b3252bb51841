// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;
using Vmm.Engine.Time;

namespace Vmm.Engine.Chips;

/// <summary>
/// The interrupt controllers and timers of a VM between two initializations. In userspace mode all of them; where the hypervisor has
/// controllers, the HPET, the power-management timer and the clock, whose interrupts go to the hypervisor.
/// </summary>
internal sealed class PlatformChips : ILineTarget
{
    /// <summary>The registers of the local APICs (SDM volume 3, "Local APIC").</summary>
    public const ulong LocalApicAddress = 0xfee0_0000;

    /// <summary>The registers of the I/O APIC.</summary>
    public const ulong IoApicAddress = 0xfec0_0000;

    /// <summary>The registers of the HPET.</summary>
    public const ulong HpetAddress = 0xfed0_0000;

    private const ulong PageLength = 0x1000;
    private const int TimerInterrupt = 0;
    private const int TimerPin = 2;
    private const int ClockInterrupt = 8;
    private const int SystemControlInterrupt = 9;
    private const int HighestXApicId = 254;

    // KVM's I/O APIC has 24 pins; those behind the ISA interrupts and PCI's usual four are free.
    private const uint RoutesOf24Pins = 0x00f0_0000;

    // As many as the hypervisor keeps routes for.
    private const int PinsInSplitMode = 24;

    private readonly VirtualMachine _machine;
    private readonly LocalApic?[] _localApics;
    private readonly LevelWatch? _levelWatch;

    /// <summary>Makes the chips in their power-up state.</summary>
    public PlatformChips(VirtualMachine machine, VirtualTime time)
    {
        _machine = machine;
        HpetOptions hpet = new();
        _localApics = new LocalApic?[machine.MaxCpus];
        if (machine.HasIoApic)
        {
            bool isSplit = !machine.HasLocalApics;
            Fabric = new InterruptFabric(
                Math.Max(HighestXApicId, machine.MaxCpus - 1), elsewhere: isSplit ? SendToHypervisor : null);
            IoApic = new IoApic(
                Fabric,
                isSplit
                    ? new IoApicOptions { PinCount = PinsInSplitMode, Ended = TellPinEnded, Routed = TellRoute }
                    : new IoApicOptions { Ended = TellPinEnded });
            _levelWatch = isSplit ? new LevelWatch(machine, time, IoApic.EndOfInterrupt) : null;
            AtPic = new AtPic(new PicOutput(this), machine.InterruptEvents.Ended);
            AtPit = new AtPit(time, time.Deadlines, machine.GetInterruptLine(TimerInterrupt));
        }

        if (!machine.HasLocalApics)
        {
            hpet = hpet with { Routes = RoutesOf24Pins };
        }

        Hpet = new Hpet(time, time.Deadlines, new HpetOutputs(machine), hpet);
        machine.SystemNmi.SetMasked(false);
        Rtc = new Rtc(time, time.Deadlines, machine.GetInterruptLine(ClockInterrupt)) { NmiMaskChanged = machine.SystemNmi.SetMasked };
        PmTimer = new PmTimer(time, time.Deadlines, new PmTimerOptions
        {
            SystemControlInterrupt = machine.GetInterruptLine(SystemControlInterrupt),
            Relocate = machine.MovePmTimer,
        });
    }

    /// <summary>The bus between local APICs, or null.</summary>
    public InterruptFabric? Fabric { get; }

    /// <summary>The I/O APIC, or null where the hypervisor has it.</summary>
    public IoApic? IoApic { get; }

    /// <summary>The 8259 pair, or null where the hypervisor has it.</summary>
    public AtPic? AtPic { get; }

    /// <summary>The 8254, or null where the hypervisor has it.</summary>
    public AtPit? AtPit { get; }

    /// <summary>The HPET.</summary>
    public Hpet Hpet { get; }

    /// <summary>The clock.</summary>
    public Rtc Rtc { get; }

    /// <summary>The power-management timer.</summary>
    public PmTimer PmTimer { get; }

    /// <summary>Claims what the chips answer, once for the life of the VM.</summary>
    /// <exception cref="VmmException">ENOSPC: the VM's limit of ports is too low.</exception>
    public static void Claim(VirtualMachine machine)
    {
        PlatformPorts ports = new(machine);
        machine.Ports.Attach(Rtc.AddressPort, ports);
        machine.Ports.Attach(Rtc.DataPort, ports);
        machine.Mmio.Attach(GuestPhysicalRange.Create(new(HpetAddress), Hpet.WindowSize), new HpetWindow(machine));
        if (!machine.HasIoApic)
        {
            return;
        }

        foreach (ushort port in AtPic.Ports)
        {
            machine.Ports.Attach(port, ports);
        }

        for (ushort port = AtPit.FirstPort; port <= AtPit.ControlPort; port++)
        {
            machine.Ports.Attach(port, ports);
        }

        machine.Ports.Attach(AtPit.SystemControlPort, ports);
        machine.Mmio.Attach(GuestPhysicalRange.Create(new(IoApicAddress), IoApic.PageLength), new IoApicPage(machine));
        if (!machine.HasLocalApics)
        {
            return;
        }

        machine.Mmio.Attach(GuestPhysicalRange.Create(new(LocalApicAddress), PageLength), new LocalApicPage());
        LocalApicMsrs msrs = new();
        foreach ((uint first, uint last) in LocalApicMsrs.Ranges)
        {
            machine.Msrs.Attach(new(first), new(last), msrs);
        }
    }

    /// <summary>How many lines the I/O APIC has.</summary>
    public static int Lines(VirtualMachine machine) => machine.HasLocalApics ? new IoApicOptions().PinCount : PinsInSplitMode;

    /// <summary>Makes a vCPU's local APIC, if it has none yet. The vCPU's owner.</summary>
    /// <param name="id">The vCPU.</param>
    /// <param name="sink">Its processor's side.</param>
    /// <param name="time">The VM's time.</param>
    /// <param name="tscFrequency">The rate of its TSC for the deadline mode, or 0.</param>
    public LocalApic MakeLocalApic(VcpuId id, IApicSink sink, VirtualTime time, long tscFrequency)
    {
        ref LocalApic? apic = ref _localApics[id.Value];
        if (apic is null)
        {
            LocalApicOptions options = new()
            {
                Id = (uint)id.Value,
                IsBootstrap = id.Value == 0,
                TscFrequency = tscFrequency,
            };
            LocalApic made = new(options, Fabric!, sink, time, time.Deadlines);
            Volatile.Write(ref apic, made);
            if (id.Value == 0 && AtPic!.IsInterruptRequested)
            {
                made.SetLint0(true);
            }
        }

        return apic;
    }

    /// <summary>A vCPU's local APIC, or null.</summary>
    public LocalApic? FindLocalApic(VcpuId id) => Volatile.Read(ref _localApics[id.Value]);

    /// <inheritdoc/>
    public void Drive(int line, bool asserted)
    {
        bool isRequest = line is < AtPic.RequestCount and not TimerPin;
        int pin = line == TimerInterrupt ? TimerPin : line;
        if (asserted)
        {
            if (isRequest)
            {
                AtPic!.AssertIrq(line);
            }

            IoApic!.AssertPin(pin);
        }
        else
        {
            if (isRequest)
            {
                AtPic!.DeassertIrq(line);
            }

            IoApic!.DeassertPin(pin);
        }
    }

    /// <summary>Raises a line that nobody holds up, and lets it fall.</summary>
    public void Pulse(int line)
    {
        if (line is < AtPic.RequestCount and not TimerPin)
        {
            AtPic!.PulseIrq(line);
        }

        IoApic!.PulsePin(line == TimerInterrupt ? TimerPin : line);
    }

    /// <summary>Delivers a message of a device.</summary>
    public bool SignalMessage(ulong address, uint data) => Fabric is not null
        ? Fabric.SignalMsi(address, data)
        : ((IBackendInterrupts)_machine.BackendVm).SignalMsi(address, data);

    /// <summary>A vCPU has ended a level-triggered interrupt in the hypervisor's local APIC, as its exit says. Its owner.</summary>
    public void EndLevelInterrupt(VirtualCpu cpu, byte vector)
    {
        if (_levelWatch is null || _levelWatch.Reported(cpu, vector))
        {
            IoApic!.EndOfInterrupt(vector);
        }
    }

    /// <summary>Makes the chips let go of the deadlines, before others replace them.</summary>
    public void Abandon()
    {
        foreach (LocalApic? apic in _localApics)
        {
            apic?.Reset();
        }

        _levelWatch?.Abandon();
        AtPit?.Reset();
        Hpet.Reset();
        Rtc.Reset();
        PmTimer.Reset();
    }

    private bool SendToHypervisor(InterruptMessage message)
    {
        (ulong address, uint data) = Msi.Encode(message);
        bool isTaken = ((IBackendInterrupts)_machine.BackendVm).SignalMsi(address, data);
        if (message.IsLevel)
        {
            // Also one that nobody took: its end can only be found.
            _levelWatch!.Sent(message.Vector);
        }

        return isTaken;
    }

    private void TellPinEnded(int pin)
    {
        if (pin == TimerPin)
        {
            _machine.InterruptEvents.Ended(TimerInterrupt);
        }

        if (pin != TimerInterrupt)
        {
            _machine.InterruptEvents.Ended(pin);
        }
    }

    private void TellRoute(int pin, InterruptMessage? message) => ((IBackendInterrupts)_machine.BackendVm).SetLevelRoute(
        pin, message is { } level ? Msi.Encode(level) : null);

    private sealed class PicOutput(PlatformChips chips) : IInterruptLine
    {
        public void SetLevel(bool asserted)
        {
            if (chips._machine.HasLocalApics)
            {
                chips.FindLocalApic(default)?.SetLint0(asserted);
            }
            else if (asserted)
            {
                chips._machine.GetVcpu(default).NotifyByChip();
            }
        }
    }

    private sealed class HpetOutputs(VirtualMachine machine) : IHpetOutputs
    {
        private readonly IInterruptLine?[] _pins = new IInterruptLine?[32];

        // Under the chip's lock, so one at a time.
        public void SetPin(int pin, bool asserted) =>
            (_pins[pin] ??= machine.GetInterruptLine(pin)).SetLevel(asserted);

        public void SetLegacyLine(int timer, bool asserted)
        {
            // The chip is built without the legacy replacement routing and never gets here.
        }

        public void SetLegacyRouting(bool enabled)
        {
            // As above.
        }

        public void SendMessage(uint address, uint data) => machine.RequireChips().SignalMessage(address, data);
    }
}
