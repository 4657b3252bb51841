// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Serilog.Core;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Engine;
using Vmm.Machine.Boot;
using Vmm.Machine.Debugging;
using Vmm.Machine.Devices;

namespace Vmm.Machine.Board;

/// <summary>
/// A PC: RAM around the hole below 4 GiB, interrupt controllers and an 8254 (the hypervisor's or the engine's), HPET, ACPI
/// power-management timer and real-time clock, a serial console at COM1, the debug-exit port, and the ports for reset and power.
/// Build it, load an image, run it once, dispose it.
/// </summary>
/// <remarks>
/// There is no keyboard controller and no PCI: what nobody claims reads all ones. A Linux kernel gets ACPI tables and, for one
/// without ACPI, an MP table.
/// </remarks>
public sealed partial class PcMachine : IDisposable
{
    /// <summary>The first port of COM1.</summary>
    public const ushort SerialPortBase = 0x3f8;

    /// <summary>The ISA interrupt of COM1.</summary>
    public const int SerialInterrupt = 4;

    /// <summary>
    /// The register that turns the power off: bit 13 (SLP_EN) of this 16-bit port, laid out like PM1a_CNT of ACPI.
    /// </summary>
    public const ushort PowerPort = PcPowerPorts.PowerManagementControl;

    // The input of the I/O APIC that the 8254 is wired to, as on most boards, whoever has the chips.
    private const byte TimerInput = 2;

    private const int MemorySegments = 16;
    private const int MemoryMappings = 32;
    private const int PortHandlers = 1024;
    private static readonly SegmentId s_lowRam = new(0);
    private static readonly SegmentId s_highRam = new(1);

    private readonly IHypervisorBackend _backend;
    private readonly PcOptions _options;
    private readonly VirtualMachine _machine;
    private readonly ILogger _log;
    private BootState? _bootState;
    private MachineDebugger? _debugger;

    private PcMachine(IHypervisorBackend backend, PcOptions options, PcMemoryLayout layout)
    {
        _backend = backend;
        _options = options;
        Layout = layout;
        _log = (options.Logger ?? Logger.None).ForContext<PcMachine>();
        _machine = new VirtualMachineFactory(backend, options.Logger).Create(new VirtualMachineOptions
        {
            Name = options.Name,
            MaxCpus = options.Cpus,
            MaxMemorySegments = MemorySegments,
            MaxMemoryMappings = MemoryMappings,
            MaxPortHandlers = PortHandlers,
            InterruptControllerMode = options.InterruptControllerMode,
            UnclaimedAccess = UnclaimedAccess.Default,
            UnclaimedMsr = options.UnclaimedMsr,
            MsrFilter = options.MsrExposure.Compile(),
            EngineMsrs = options.EngineMsrs,
            PlatformChips = true,
            SecondChance = options.SecondChance,
            CarriesFromStart = options.CarriesFromStart,
            SkipsIdleTime = options.Clock is not null,
        }, options.Clock);
        try
        {
            PlaceMemory();
            Serial = new SerialPort(
                _machine.GetInterruptLine(SerialInterrupt),
                options.Console ?? NoConsole.Instance,
                new SerialPortOptions { OnInputRoom = options.OnConsoleInputRoom });
            AttachPorts();
            PrepareVcpus();
        }
        catch
        {
            _machine.Dispose();
            throw;
        }
    }

    /// <summary>The engine's VM, for handlers of the embedder's own. To be used before the run and after it.</summary>
    public IVirtualMachine Machine => _machine;

    /// <summary>Where the machine has RAM.</summary>
    public PcMemoryLayout Layout { get; }

    /// <summary>COM1. Any thread.</summary>
    public SerialPort Serial { get; }

    /// <summary>Builds a machine.</summary>
    /// <param name="backend">The hypervisor; the caller keeps it and disposes it after the machine.</param>
    /// <param name="options">How.</param>
    /// <returns>The machine, owned by the caller.</returns>
    /// <exception cref="VmmException">
    /// ENOTSUP: the processor model has a feature that the host does not have; EINVAL: memory or processors out of range; ENOSPC: the exposure of registers takes more ranges than there may be; otherwise what the host refuses.
    /// </exception>
    public static PcMachine Create(IHypervisorBackend backend, PcOptions options)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(options);
        const string Operation = "PcMachine.Create";
        if (options.Cpus is < 1 or > MpTable.MaximumProcessors)
        {
            throw new VmmException(
                Operation, VmmError.EINVAL, $"a PC has 1 to {MpTable.MaximumProcessors} processors, not {options.Cpus}");
        }

        try
        {
            return new PcMachine(backend, options, new PcMemoryLayout(options.MemorySize));
        }
        catch (ArgumentOutOfRangeException range) when (range.ParamName == "memorySize")
        {
            throw new VmmException(
                Operation,
                VmmError.EINVAL,
                $"RAM is a multiple of 4096 bytes from {PcMemoryLayout.MinimumMemory} to {PcMemoryLayout.MaximumMemory}, not {options.MemorySize}",
                range);
        }
    }

    /// <summary>Loads a Linux kernel. Once, before the run.</summary>
    /// <param name="options">Kernel, initial RAM disk, command line.</param>
    /// <returns>What was loaded where.</returns>
    /// <exception cref="BootImageException">An image is refused; guest memory is as it was.</exception>
    /// <exception cref="InvalidOperationException">The machine has an image already.</exception>
    public LinuxBootResult LoadLinux(LinuxBootOptions options)
    {
        RequireNoImage();
        GuestPhysicalAddress tables = new(AcpiTables.DefaultAddress);
        LinuxBootResult result = LinuxLoader.Load(_machine.Memory, Layout, options with { AcpiRsdp = tables });
        AcpiTables.Write(_machine.Memory, Acpi, tables);

        MpTable.Write(_machine.Memory, new MpTableOptions { Processors = _options.Cpus, TimerInput = TimerInput });
        _bootState = result.State;
        return result;
    }

    /// <summary>Loads a flat binary. Once, before the run.</summary>
    /// <param name="image">The binary, entered at its first byte.</param>
    /// <param name="address">Where it goes.</param>
    /// <param name="longMode">Whether it is entered in 64-bit mode, or in real mode.</param>
    /// <exception cref="BootImageException">The image is refused; guest memory is as it was.</exception>
    /// <exception cref="InvalidOperationException">The machine has an image already.</exception>
    public void LoadFlat(ReadOnlyMemory<byte> image, GuestPhysicalAddress address, bool longMode)
    {
        RequireNoImage();
        _bootState = longMode
            ? FlatLoader.LoadLongMode(_machine.Memory, Layout, image, address)
            : FlatLoader.LoadRealMode(_machine.Memory, Layout, image, address);
    }

    /// <summary>
    /// A hash of RAM and of the processors' registers: two machines with the same one are in the same state there. While no processor
    /// runs, or on the thread of the only one.
    /// </summary>
    /// <returns>SHA-256 in hexadecimal digits.</returns>
    public string ComputeHash() => MachineHash.Compute(_machine.Memory, Layout, Vcpus());

    /// <summary>Lets a debugger stop and change the machine; a <see cref="GdbServer"/> drives it. Once, before the run.</summary>
    /// <param name="paused">Whether the machine waits for a debugger before its first instruction.</param>
    /// <returns>The debugger's side.</returns>
    /// <exception cref="InvalidOperationException">The machine has run, or it has a debugger's side already.</exception>
    public MachineDebugger EnableDebugging(bool paused)
    {
        if (_hasRun || _debugger is not null)
        {
            throw new InvalidOperationException(_hasRun ? "the machine has run" : "debugging is enabled already");
        }

        return _debugger = new MachineDebugger(_machine, Vcpus(), paused, Stop);
    }

    /// <summary>Stops the vCPUs and frees everything.</summary>
    /// <exception cref="InvalidOperationException">Called by a handler on a vCPU's thread.</exception>
    public void Dispose() => _machine.Dispose();

    private AcpiOptions Acpi => new()
    {
        Processors = _options.Cpus,
        TimerInterrupt = TimerInput,
        SystemControlInterrupt = PcPowerPorts.SystemControlInterrupt,
        EventPort = PcPowerPorts.Events,
        ControlPort = PcPowerPorts.PowerManagementControl,
        TimerPort = PcPowerPorts.Timer,
        ResetPort = PcPowerPorts.ResetControl,
        HpetIdentity = (uint)_machine.Hpet.Capabilities,
        SerialPort = SerialPortBase,
    };

    private void RequireNoImage()
    {
        if (_bootState is not null)
        {
            throw new InvalidOperationException("the machine has an image already");
        }
    }

    private void PlaceMemory()
    {
        using IVcpuFreeze freeze = _machine.FreezeVcpus();
        Place(freeze, s_lowRam, new GuestPhysicalAddress(0), Layout.LowRamEnd, "low RAM");
        if (Layout.HighRamEnd > PcMemoryLayout.FourGiB)
        {
            Place(
                freeze,
                s_highRam,
                new GuestPhysicalAddress(PcMemoryLayout.FourGiB),
                Layout.HighRamEnd - PcMemoryLayout.FourGiB,
                "high RAM");
        }
    }

    private void Place(IVcpuFreeze freeze, SegmentId segment, GuestPhysicalAddress address, ulong length, string name)
    {
        IMemoryMap map = _machine.MemoryMap;
        map.AllocateSegment(
            freeze, segment, length, isSystemMemory: true, new GuestMemoryOptions(name, HugePages: _options.HugePages));
        map.Map(freeze, new GuestMemoryMapping(address, length, segment, 0, MemoryProtection.All, MapFlags.None));
    }

    private void AttachPorts()
    {
        Attach(SerialPortBase, SerialPort.WindowSize, Serial.Read, Serial.Write);
        PcPowerPorts power = new(End, _machine.PmTimer);
        _machine.PmTimer.Locate(PcPowerPorts.Timer);
        foreach (ushort port in PcPowerPorts.Ports)
        {
            _machine.Ports.Attach(port, power);
        }

        // The device's callback does not say which vCPU wrote; the guest's own code is the reason, not the vCPU's state.
        IsaDebugExit debugExit = new(EndByDebugExit);
        Attach(debugExit.Port, IsaDebugExit.WindowSize, debugExit.Read, debugExit.Write);
    }

    private void Attach(ushort first, int count, PortWindow.ReadBytes read, PortWindow.WriteBytes write)
    {
        PortWindow window = new(first, read, write);
        for (int offset = 0; offset < count; offset++)
        {
            _machine.Ports.Attach((ushort)(first + offset), window);
        }
    }

    private void PrepareVcpus()
    {
        _machine.Topology = new CpuTopology(1, (ushort)_options.Cpus, 1);
        if (_options.CpuModel.IsPlainHost)
        {
            return;
        }

        CpuResolution resolution = _options.CpuModel.Resolve(_backend.GetSupportedCpuid().AsSpan(), _options.CpuDependencies);
        if (!resolution.Problems.IsEmpty)
        {
            throw new VmmException(
                "PcMachine.Create", VmmError.ENOTSUP, $"processor model {_options.CpuModel}: {string.Join("; ", resolution.Problems)}");
        }

        foreach (VirtualCpu cpu in Vcpus())
        {
            CpuidEntry[] entries = VcpuLeaves.Adapt(resolution.Definition.Entries.AsSpan(), (uint)cpu.Id.Value, _machine.Topology);
            cpu.Cpuid = CpuidConfiguration.Create(CpuidFlags.None, entries);
            foreach (MsrEntry msr in resolution.Msrs)
            {
                if (!cpu.TrySetMsr(msr.Index, msr.Value))
                {
                    throw new VmmException(
                        "PcMachine.Create", VmmError.ENOTSUP, $"processor model {_options.CpuModel}: the hypervisor refused {MsrRegistry.NameOf(msr.Index)} = 0x{msr.Value:x}");
                }
            }
        }
    }

    private IEnumerable<VirtualCpu> Vcpus() =>
        Enumerable.Range(0, _options.Cpus).Select(number => _machine.GetVcpu(new VcpuId(number)));

    private sealed class NoConsole : IConsoleSink
    {
        public static NoConsole Instance { get; } = new();

        public void Write(ReadOnlySpan<byte> data)
        {
        }
    }
}
