// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;
using Vmm.Engine.Chips;

namespace Vmm.Engine;

/// <content>The VM's own interrupt controllers and timers.</content>
public sealed partial class VirtualMachine : IPlatformChips, IInEngineMmio
{
    private const string NoChips = "the VM was created without " + nameof(VirtualMachineOptions.PlatformChips);

    private PlatformChips? _chips;
    private HypervisorPlatform? _hypervisorChips;
    private IDisposable? _pmTimerPort;

    /// <summary>The I/O APIC.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public IoApic IoApic => Require(_chips?.IoApic, "vm_ioapic");

    /// <summary>The pair of 8259 interrupt controllers.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public AtPic AtPic => Require(_chips?.AtPic, "vm_atpic");

    /// <summary>The 8254 timer.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public AtPit AtPit => Require(_chips?.AtPit, "vm_atpit");

    /// <summary>The high-precision event timer.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public Hpet Hpet => Require(_chips?.Hpet, "vm_hpet");

    /// <summary>The ACPI power-management timer; at no port until it is located.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public PmTimer PmTimer => Require(_chips?.PmTimer, "vm_pmtmr");

    /// <summary>The real-time clock; at the beginning of 1970 until it is set.</summary>
    /// <exception cref="VmmException">ENOTSUP: the engine does not have it in this VM.</exception>
    public Rtc Rtc => Require(_chips?.Rtc, "vm_rtc");

    IIoApic IPlatformChips.IoApic => (IIoApic?)_hypervisorChips?.IoApic ?? IoApic;

    IAtPic IPlatformChips.AtPic => (IAtPic?)_hypervisorChips?.AtPic ?? AtPic;

    IAtPit IPlatformChips.AtPit => (IAtPit?)_hypervisorChips?.AtPit ?? AtPit;

    IHpet IPlatformChips.Hpet => Hpet;

    IPmTimer IPlatformChips.PmTimer => PmTimer;

    IRtc IPlatformChips.Rtc => Rtc;

    /// <summary>The board's NMI.</summary>
    internal SystemNmi SystemNmi { get; }

    /// <summary>The engine's chips, or null.</summary>
    internal PlatformChips? Chips => Volatile.Read(ref _chips);

    /// <summary>Whether the local APICs are the engine's.</summary>
    internal bool HasLocalApics => _options.PlatformChips && InterruptControllerMode == InterruptControllerMode.Userspace;

    /// <summary>Whether the I/O APIC, the 8259 pair and the 8254 are the engine's.</summary>
    internal bool HasIoApic => _options.PlatformChips && InterruptControllerMode != InterruptControllerMode.Kernel;

    /// <summary>The local APIC of a vCPU. Register accesses are the vCPU owner's; interrupts may come from any thread.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <returns>The chip, until the VM is reinitialized.</returns>
    /// <exception cref="VmmException">EINVAL: no such vCPU; ENOTSUP: the engine does not have it in this VM.</exception>
    public LocalApic GetLocalApic(VcpuId vcpu)
    {
        VirtualCpu cpu = GetVcpu(vcpu);
        return Require(HasLocalApics ? cpu.RequireLocalApic() : null, "vm_lapic");
    }

    /// <summary>
    /// A wire by which a device of the board reports what makes a non-maskable interrupt: SERR#, a watchdog, a button. It interrupts all
    /// processors when it rises, as their local interrupt 1 is programmed, unless the guest has set bit 7 of port 70h; then when the guest
    /// clears that. Any thread; the wire stays valid across a reinitialization.
    /// </summary>
    /// <returns>The wire.</returns>
    /// <exception cref="VmmException">ENOTSUP: the VM was created without chips.</exception>
    public IInterruptLine CreateNmiWire()
    {
        _ = Require(_chips, "CreateNmiWire");
        return SystemNmi.CreateWire();
    }

    ILocalApic IPlatformChips.GetLocalApic(VcpuId vcpu) =>
        (ILocalApic?)_hypervisorChips?.FindLocalApic(GetVcpu(vcpu)) ?? GetLocalApic(vcpu);

    /// <inheritdoc/>
    public bool TryRead(VcpuId vcpu, GuestPhysicalAddress address, int bytes, out ulong value)
    {
        value = 0;
        if (!TryFindChip("vm_service_mmio_read", address, bytes, out ulong offset, out IMmioHandler? handler))
        {
            return false;
        }

        VirtualCpu cpu = GetVcpu(vcpu);
        using IDisposable ownership = cpu.Acquire();
        value = handler.Read(cpu, offset, bytes);
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(VcpuId vcpu, GuestPhysicalAddress address, int bytes, ulong value)
    {
        if (!TryFindChip("vm_service_mmio_write", address, bytes, out ulong offset, out IMmioHandler? handler))
        {
            return false;
        }

        VirtualCpu cpu = GetVcpu(vcpu);
        using IDisposable ownership = cpu.Acquire();
        handler.Write(cpu, offset, bytes, value);
        return true;
    }

    /// <summary>The engine's chips, for their registrations and lines, which exist only with them.</summary>
    internal PlatformChips RequireChips() => Chips ?? throw new InvalidOperationException(NoChips);

    /// <summary>Moves the port of the power-management timer.</summary>
    internal void MovePmTimer(ushort? from, ushort to)
    {
        IDisposable added = Ports.Attach(to, new PmTimerPort(this));
        Interlocked.Exchange(ref _pmTimerPort, added)?.Dispose();
    }

    /// <summary>Where wires end, or null while there are no controllers.</summary>
    internal ILineTarget? LineTarget => HasIoApic ? Chips : Volatile.Read(ref _hypervisorChips)?.Lines;

    private void MakeChips()
    {
        Volatile.Write(ref _hypervisorChips, HypervisorPlatform.TryMake(this, Time));
        if (!_options.PlatformChips)
        {
            return;
        }

        bool isFirst = _chips is null;
        ushort? pmPort = _chips?.PmTimer.Port;
        Volatile.Write(ref _chips, new PlatformChips(this, Time));
        if (isFirst)
        {
            PlatformChips.Claim(this);
        }

        if (pmPort is { } port)
        {
            Interlocked.Exchange(ref _pmTimerPort, null)?.Dispose();
            _chips.PmTimer.Locate(port);
        }
    }

    private T Require<T>(T? chip, string operation)
        where T : class
    {
        if (chip is null)
        {
            EngineThrow.Refuse(
                operation,
                VmmError.ENOTSUP,
                _options.PlatformChips ? $"in {InterruptControllerMode} mode the hypervisor has this chip; {nameof(IPlatformChips)} reaches it" : NoChips);
        }

        return chip;
    }

    private bool TryFindChip(
        string operation,
        GuestPhysicalAddress address,
        int bytes,
        out ulong offset,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IMmioHandler? handler)
    {
        if (bytes is not (1 or 2 or 4 or 8))
        {
            EngineThrow.Invalid(operation, $"an access has 1, 2, 4 or 8 bytes, not {bytes}");
        }

        bool found = MmioTable.TryFind(address.Value, out RangeTable<IMmioHandler>.Entry entry)
            && entry.Value is LocalApicPage or IoApicPage or HpetWindow;
        offset = found ? address.Value - entry.First : 0;
        handler = found ? entry.Value : null;
        return found;
    }
}
