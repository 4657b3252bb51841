// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Serilog;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Time;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Emulation.Timers;
using Vmm.Engine.Chips;
using Vmm.Engine.Events;
using Vmm.Engine.IoPorts;
using Vmm.Engine.Memory;
using Vmm.Engine.Msr;
using Vmm.Engine.SecondChance;
using Vmm.Engine.Time;

namespace Vmm.Engine;

/// <summary>One guest over any hypervisor backend.</summary>
/// <remarks>
/// Lock order: vCPU ownership, then the memory map's lock, then a vCPU's gate, then <c>_setsLock</c>. No lock is held while
/// the guest executes or a handler runs, but for <c>DeviceNotifications.DeliveryLock</c> while collected writes reach theirs.
/// </remarks>
public sealed partial class VirtualMachine : IVirtualMachine, IHostMmioMapping
{
    private readonly VirtualMachineOptions _options;
    private readonly ILogger _log;
    private readonly VirtualCpu[] _vcpus;
    private readonly MemoryMap _memoryMap;
    private readonly PortSpace _ports;
    private readonly MmioSpace _mmio = new();
    private readonly MsrSpace _msrs = new();
    private readonly Timer? _haltWatch;
    private MsrAccessLog? _msrAccesses;
    private CpuTopology _topology = CpuTopology.Single;
    private int _disposed;

    internal VirtualMachine(IHypervisorBackend backend, VirtualMachineOptions options, ILogger log, ManualClock? clock = null)
    {
        _options = options;
        _log = log.ForContext<VirtualMachine>();
        HypervisorBackend = backend;
        Space = new GuestAddressSpace();
        _memoryMap = new MemoryMap(this, options, Space);
        _ports = new PortSpace(options.MaxPortHandlers);
        SecondChances = new SecondChanceLog(this);
        Exclusion = new MemoryExclusion(this);
        SupportedCpuid = backend.GetSupportedCpuid();
        BackendVm = CreateBackendVm();
        MsrOwners = new MsrOwners(options.MsrFilter);
        _vcpus = new VirtualCpu[options.MaxCpus];
        for (int i = 0; i < _vcpus.Length; i++)
        {
            _vcpus[i] = new VirtualCpu(this, new VcpuId(i));
        }

        Time = new VirtualTime(backend, clock, error => EngineLog.TimerFailed(_log, Name, error));
        InterruptEvents = new InterruptEvents(this);
        SystemNmi = new SystemNmi(this);
        try
        {
            MakeChips();
        }
        catch
        {
            InterruptEvents.Dispose();
            Time.Dispose();
            BackendVm.Dispose();
            throw;
        }

        if (options.DetectHalt && options.InterruptControllerMode != InterruptControllerMode.Userspace)
        {
            WeakReference<VirtualMachine> self = new(this);
            _haltWatch = new Timer(WatchForHalt, self, HaltWatchPeriod, HaltWatchPeriod);
        }

        EngineMetrics.Register(this);
        EngineLog.Created(_log, Name, MaxCpus, InterruptControllerMode);
    }

    /// <inheritdoc/>
    public string Name => _options.Name;

    /// <inheritdoc/>
    public int MaxCpus => _options.MaxCpus;

    /// <inheritdoc/>
    public InterruptControllerMode InterruptControllerMode => _options.InterruptControllerMode;

    /// <inheritdoc/>
    public CpuTopology Topology
    {
        get => _topology;
        set
        {
            if (value.Total > MaxCpus)
            {
                EngineThrow.Invalid("vm_set_topology", $"{value.Total} threads are more than the VM's {MaxCpus} vCPUs");
            }

            if (value == _topology)
            {
                return;
            }

            RefuseFromHandler("change the topology of");

            if (Array.Find(_vcpus, cpu => cpu.IsCpuidFixed) is VirtualCpu fixedCpu)
            {
                EngineThrow.Busy("vm_set_topology", $"vCPU {fixedCpu.Id} has run: its CPUID shows the topology no longer");
            }

            _topology = value;
            foreach (VirtualCpu cpu in _vcpus)
            {
                cpu.RefreshCpuid();
            }
        }
    }

    /// <inheritdoc/>
    public IGuestMemory Memory => Space;

    /// <inheritdoc/>
    public IMemoryMap MemoryMap => _memoryMap;

    /// <inheritdoc/>
    public IPortSpace Ports => _ports;

    /// <inheritdoc/>
    public IMmioSpace Mmio => _mmio;

    /// <inheritdoc/>
    public IMsrSpace Msrs => _msrs;

    /// <summary>
    /// Who answers the acknowledge cycle of 8259-style external interrupts; none at first. To be set before vCPUs run.
    /// </summary>
    public IExternalInterruptSource? ExternalInterruptSource { get; set; }

    /// <summary>The hypervisor's part of the VM, replaced by a reinitialization.</summary>
    internal IBackendVm BackendVm { get; private set; }

    /// <summary>
    /// The instructions that the hypervisor gave up on and the engine executed, by mnemonic, the most frequent first. Any thread.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, long>> SecondChancesByInstruction => SecondChances.Read();

    /// <summary>What the hypervisor itself has counted of the VM; empty where it counts nothing. Any thread.</summary>
    /// <returns>The figures.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    public IReadOnlyList<BackendStatistic> ReadHypervisorStatistics() =>
        BackendVm is IBackendStatistics statistics ? statistics.ReadStatistics() : [];

    /// <summary>Called once when the VM is gone.</summary>
    internal Action<VirtualMachine>? Destroyed { get; init; }

    /// <summary>The VM's time.</summary>
    internal VirtualTime Time { get; }

    /// <summary>The hypervisor.</summary>
    internal IHypervisorBackend HypervisorBackend { get; }

    /// <summary>Who has the registers that both the hypervisor and the engine know.</summary>
    internal MsrOwners MsrOwners { get; }

    /// <summary>
    /// The guest's accesses to model-specific registers that the hypervisor handed over, by register and by who answered. Any thread.
    /// </summary>
    public MsrAccessLog MsrAccesses => LazyInitializer.EnsureInitialized(ref _msrAccesses)!;

    /// <summary>Counts second chances.</summary>
    internal SecondChanceLog SecondChances { get; }

    /// <summary>Gives a vCPU guest memory to itself.</summary>
    internal MemoryExclusion Exclusion { get; }

    /// <summary>
    /// How many instructions the engine executes at most before the hypervisor, which alone knows of interrupts in its chips, gets
    /// the vCPU back. Where it interprets the guest anyway; docs/performance.md has the measurement.
    /// </summary>
    internal long BatchLimit { get; set; } = 16384;

    /// <summary>Guest memory, as the engine's parts see it.</summary>
    internal GuestAddressSpace Space { get; }

    /// <summary>What CPUID the hypervisor can give.</summary>
    internal ImmutableArray<Abstractions.Cpuid.CpuidEntry> SupportedCpuid { get; }

    /// <summary>The vCPUs, by number.</summary>
    internal ReadOnlySpan<VirtualCpu> VcpuSpan => _vcpus;

    /// <summary>The vCPUs, by number.</summary>
    internal IReadOnlyList<VirtualCpu> Vcpus => _vcpus;

    /// <summary>The VM's options.</summary>
    internal VirtualMachineOptions Options => _options;

    /// <summary>The VM's log.</summary>
    internal ILogger Log => _log;

    /// <summary>The port handlers, as the run loop sees them.</summary>
    internal PortSpace PortTable => _ports;

    /// <summary>The handlers of memory-mapped input and output, as the run loop sees them.</summary>
    internal RangeTable<IMmioHandler> MmioTable => _mmio.Handlers;

    /// <summary>The MSR handlers, as the run loop sees them.</summary>
    internal RangeTable<IMsrHandler> MsrTable => _msrs.Handlers;

    /// <summary>Whether the VM is gone or going.</summary>
    internal bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <summary>A vCPU; the type shows what the engine has beyond the contract.</summary>
    /// <param name="id">Its number.</param>
    /// <returns>The vCPU.</returns>
    /// <exception cref="VmmException">EINVAL: the number is not below <see cref="MaxCpus"/>.</exception>
    public VirtualCpu GetVcpu(VcpuId id)
    {
        if (id.Value < 0 || id.Value >= _vcpus.Length)
        {
            EngineThrow.Invalid("vcpu", $"vCPU {id} is not 0 to {_vcpus.Length - 1}");
        }

        return _vcpus[id.Value];
    }

    IVirtualCpu IVirtualMachine.GetVcpu(VcpuId id) => GetVcpu(id);

    /// <inheritdoc/>
    public VcpuId ApicIdToVcpuId(int apicId) => new(apicId);

    /// <summary>
    /// A wire to an input of the VM's interrupt controllers: the hypervisor's in kernel mode, the engine's own in userspace mode, where
    /// wires to one input are joined. Any thread; the wire stays valid across a reinitialization.
    /// </summary>
    /// <param name="line">
    /// The global system interrupt, from 0. The first 16 are the ISA interrupts too, of which 0 is on pin 2 of the engine's I/O APIC.
    /// </param>
    /// <returns>The wire.</returns>
    /// <exception cref="VmmException">
    /// ENOTSUP: the VM has no such controllers; EINVAL: the engine's have no such input.
    /// </exception>
    public IInterruptLine GetInterruptLine(int line)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(line);
        if (!HasIoApic && _hypervisorChips?.Lines is null)
        {
            EngineThrow.Refuse(
                "GetInterruptLine",
                VmmError.ENOTSUP,
                $"in {InterruptControllerMode} mode no interrupt controller of this VM has line {line}");
        }

        if (line >= (HasIoApic ? PlatformChips.Lines(this) : _hypervisorChips!.Lines!.PinCount))
        {
            EngineThrow.Invalid("GetInterruptLine", $"the I/O APIC has no input for line {line}");
        }

        return new ChipLine(this, line);
    }

    /// <inheritdoc/>
    public void MapMmio(IVcpuFreeze freeze, GuestPhysicalAddress address, GuestMemoryBlock device) =>
        _memoryMap.MapHostDevice(freeze, address, device);

    /// <inheritdoc/>
    public void UnmapMmio(IVcpuFreeze freeze, GuestPhysicalAddress address, ulong length) =>
        _memoryMap.UnmapHostDevice(freeze, address, length);

    /// <inheritdoc/>
    public void Reinitialize(IVcpuFreeze freeze, ReinitializeFlags flags = ReinitializeFlags.None)
    {
        RequireFreeze(freeze);
        const string Operation = "vm_reinit";
        if (_ports.Hooks != 0)
        {
            EngineThrow.Busy(Operation, $"{_ports.Hooks} ports have hooks of external drivers");
        }

        bool isSuspended = SuspendedVcpus == ActiveVcpus;
        if (!isSuspended && (flags & ReinitializeFlags.ForceSuspend) == 0)
        {
            EngineThrow.Busy(Operation, "active vCPUs are not suspended, and suspension is not forced");
        }

        // What the host may refuse comes first: up to here the VM is as it was.
        IBackendVm next = CreateBackendVm();
        IReadOnlyList<(MappedRange Range, IDisposable Placement)> placed;
        try
        {
            placed = _memoryMap.PlaceAlsoIn(next);
        }
        catch
        {
            next.Dispose();
            throw;
        }

        if (!isSuspended)
        {
            TrySuspend(SuspendReason.Reset);
        }

        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.ReleaseBackend();
        }

        _memoryMap.MoveTo(placed);
        _notifications?.Withdraw();
        using (Time.KeepTimerOut())
        {
            // Lines fall into the old controllers, wherever they are.
            InterruptEvents.Leave();
            _chips?.Abandon();
            BackendVm.Dispose();
            BackendVm = next;
            ForgetBootTsc();
            Time.Restart();
            MakeChips();
            InterruptEvents.Enter();
        }

        if (_isPaused)
        {
            StopClock();
        }

        _notifications?.Restore();
        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.ForgetState();
        }

        ClearSets();
        EngineLog.Reinitialized(_log, Name);
    }

    /// <inheritdoc/>
    public VmTime Normalize(HostTime hostTime) => Time.Normalize(hostTime);

    /// <inheritdoc/>
    public HostTime Denormalize(VmTime time) => Time.Denormalize(time);

    /// <summary>
    /// Stops the vCPUs, waits until they have left the guest, and frees everything. Later calls do nothing.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// The calling thread is running one of the VM's vCPUs: a handler cannot destroy the VM it is called from.
    /// </exception>
    public void Dispose()
    {
        RefuseFromHandler("destroy");
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        // Whoever waits for a vCPU may hold another one that is retired first: all of them learn of the end now.
        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.WakeWaiters();
        }

        _haltWatch?.Dispose();
        InterruptEvents.Dispose();
        Time.Dispose();
        EngineMetrics.Unregister(this);
        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.Retire();
        }

        _memoryMap.Clear();
        _notifications?.Withdraw();
        BackendVm.Dispose();
        Destroyed?.Invoke(this);
        EngineLog.Destroyed(_log, Name);
    }

    private IBackendVm CreateBackendVm() => HypervisorBackend.CreateVm(new BackendVmOptions(
        Name,
        MaxCpus,
        InterruptControllerMode,
        (_options.Flags & CreateFlags.TrackDirty) != 0,
        MsrExits: true,
        HypercallExits: false)
    {
        ApicMsrExits = HasLocalApics,
        MsrFilter = _options.MsrFilter,
        DisabledExits = _options.DisabledExits,
    });
}
