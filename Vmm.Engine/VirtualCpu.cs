// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Cpuid;

namespace Vmm.Engine;

/// <summary>One processor of a VM over any hypervisor backend.</summary>
/// <remarks>
/// The gate guards who owns the vCPU, its run state and the condition that its thread sleeps on. The thread that owns the
/// vCPU is the only one to touch the backend's vCPU, but for its kick. <c>_attention</c> tells the run loop that there is
/// something to look at before the next entry: whoever changes something sets the change first and the flag after it.
/// </remarks>
public sealed partial class VirtualCpu : IVirtualCpu
{
    private readonly VirtualMachine _machine;
    private readonly object _gate = new();
    private IBackendVcpu? _backend;
    private CpuidConfiguration _cpuid = CpuidConfiguration.Legacy;

    /// <summary>What CPUID answers, as the hypervisor's vCPU was told; valid as long as there is one.</summary>
    private CpuidEntry[] _cpuidAnswers = [];
    private VmExit _exit;

    internal VirtualCpu(VirtualMachine machine, VcpuId id)
    {
        _machine = machine;
        Id = id;
        _timeStamp = System.Diagnostics.Stopwatch.GetTimestamp();
    }

    /// <inheritdoc/>
    public VcpuId Id { get; }

    /// <inheritdoc/>
    public IVirtualMachine Machine => _machine;

    /// <inheritdoc/>
    public VcpuCounters Counters => new(
        _exits, _portExits, _mmioExits, _msrExits, _haltExits, _hypercallExits, _otherExits, _kicks, _unclaimedPorts,
        _unclaimedMmio, _unclaimedMsrs, _requestIdleExits, _exceptions, _nmis, _externalInterrupts)
    {
        SecondChances = _secondChances,
        EmulatedInstructions = _emulatedInstructions,
        HypervisorSteps = _hypervisorSteps,
        MsrReads = _msrReads,
        InterruptWindows = _interruptWindows,
        MonitorTraps = _monitorTraps,
        HostCpuMigrations = _hostCpuMigrations,
    };

    /// <summary>
    /// What the hypervisor itself has counted of the vCPU; empty where it counts nothing, and before the vCPU exists there. Any thread.
    /// </summary>
    /// <returns>The figures.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    public IReadOnlyList<BackendStatistic> ReadHypervisorStatistics() =>
        Volatile.Read(ref _backend) is IBackendStatistics statistics ? statistics.ReadStatistics() : [];

    /// <inheritdoc/>
    public CpuidConfiguration Cpuid
    {
        get => _cpuid;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            TakeOwnership();
            try
            {
                if (_backend is not null)
                {
                    PushCpuid(_backend, value);
                }

                _cpuid = value;
            }
            finally
            {
                GiveOwnershipBack();
            }
        }
    }

    /// <summary>The hypervisor's vCPU, created when it is first needed; the caller owns the vCPU.</summary>
    private IBackendVcpu Backend => _backend ?? CreateBackend();

    /// <inheritdoc/>
    public void Activate()
    {
        TakeOwnership();
        try
        {
            _ = Backend;
            _machine.Activate(this);
            if (_apic is not null)
            {
                _machine.RequireChips().Fabric!.Attach(_apic);
            }
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public bool GetCapability(VcpuCapability capability)
    {
        RequireCapability("vm_get_capability", capability);
        TakeOwnership();
        try
        {
            return Backend.GetCapability(capability);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void SetCapability(VcpuCapability capability, bool enabled)
    {
        RequireCapability("vm_set_capability", capability);
        TakeOwnership();
        try
        {
            Backend.SetCapability(capability, enabled);
            NoteCapability(capability, enabled);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <summary>Lets the hypervisor's vCPU go, before its VM is replaced; the caller owns the vCPU.</summary>
    internal void ReleaseBackend()
    {
        IBackendVcpu? backend = _backend;
        Volatile.Write(ref _backend, null);
        backend?.Dispose();
    }

    /// <summary>Puts the engine's part of the vCPU back to what it is after creation; the caller owns the vCPU.</summary>
    internal void ForgetState()
    {
        _exit = default;
        _isExitDue = false;
        _readsMmio = false;
        _emulated = null;
        _apic = null;
        ForgetMsrs();
        _singleSteps = false;
        _stopsAtInt3 = false;
        _hasHardwareBreakpoints = false;
        _carries = false;
        _isStep = false;
        _mayBeHalted = false;
        _awaitsHypervisor = false;
        _exitEvents.Clear();
        _exceptionEvent = default;
        Volatile.Write(ref _nmiPending, false);
        Volatile.Write(ref _nmiPinRaised, false);
        Volatile.Write(ref _externalInterruptPending, false);
        _isHalted = false;
        _isNotStarted = false;
        _hasRun = false;
        _x2ApicState = Abstractions.Registers.X2ApicState.Disabled;
        lock (_gate)
        {
            _runState = VcpuRunState.Halt;
            _sipiVector = 0;
        }
    }

    /// <summary>Whether a change of what CPUID answers could no longer reach the guest.</summary>
    internal bool IsCpuidFixed =>
        _backend is not null && _hasRun && _machine.HypervisorBackend.Description.CpuidFixedAfterRun;

    /// <summary>Gives the hypervisor the answers that follow from the VM's topology.</summary>
    internal void RefreshCpuid()
    {
        TakeOwnership();
        try
        {
            if (_backend is not null && (_cpuid.Flags & CpuidFlags.LegacyHandling) != 0)
            {
                PushCpuid(_backend, _cpuid);
            }
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    private static void RequireCapability(string operation, VcpuCapability capability)
    {
        if (!Enum.IsDefined(capability))
        {
            EngineThrow.Invalid(operation, $"{(int)capability} is not a capability");
        }
    }

    private IBackendVcpu CreateBackend()
    {
        ObjectDisposedException.ThrowIf(_machine.IsDisposed, _machine);
        IBackendVcpu backend = _machine.BackendVm.CreateVcpu(Id);
        try
        {
            MakeLocalApic(backend);
            PushCpuid(backend, _cpuid);
        }
        catch (VmmException)
        {
            backend.Dispose();
            throw;
        }

        Volatile.Write(ref _backend, backend);
        _machine.NoteTsc(backend);
        return backend;
    }

    /// <summary>Tells the guest that the VM was paused, if it can be told; the caller owns the vCPU.</summary>
    internal void TellPause()
    {
        if (_backend is IBackendVcpuTime time)
        {
            _awaitsHypervisor |= time.TryTellPause();
        }
    }

    private void PushCpuid(IBackendVcpu backend, CpuidConfiguration configuration)
    {
        CpuidEntry[] answers = Answers(configuration);
        backend.SetCpuid(answers);
        _cpuidAnswers = answers;
        ForgetMsrs();
        _emulated = null;
    }

    /// <summary>What CPUID shall answer on this vCPU.</summary>
    private CpuidEntry[] Answers(CpuidConfiguration configuration)
    {
        bool isLegacy = (configuration.Flags & CpuidFlags.LegacyHandling) != 0;
        CpuidEntry[] entries = isLegacy
            ? VcpuCpuid.Adapt(_machine.SupportedCpuid, Id, _machine.Topology)
            : [.. configuration.Entries];
        if (_machine.HasLocalApics)
        {
            VcpuCpuid.DescribeLocalApic(entries, _tscDeadlineFrequency > 0, announce: isLegacy);
        }

        return entries;
    }
}
