// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>KVM's part of a VM.</summary>
internal sealed partial class KvmVm : IBackendVm, IBackendInterrupts, IBackendStatistics, IWideAtomics
{
    /// <summary>
    /// Three pages for VMX's own use in real mode, and one before them for its identity map: just below the area of the
    /// BIOS at the top of 4 GiB, where no memory is mapped (api.rst, KVM_SET_TSS_ADDR).
    /// </summary>
    private const uint TssAddress = 0xfffbd000;

    private const ulong IdentityMapAddress = 0xfffbc000;
    private const int DefaultMaxSlots = 32;

    private readonly Lock _lock = new();
    private readonly KvmVmFd _vm;
    private readonly List<Placement?> _placements = [];
    private readonly KvmStatistics _figures;
    private readonly int _maxSlots;
    private readonly int _maxCpus;

    public KvmVm(KvmBackend backend, in BackendVmOptions options)
    {
        Backend = backend;
        Name = options.Name;
        InterruptControllerMode = options.InterruptControllerMode;
        _maxCpus = options.MaxCpus;
        int slots = backend.System.CheckExtension(KvmCapability.NrMemslots);

        // One slot is kept back, see ForgetShadows.
        _maxSlots = (slots > 0 ? slots : DefaultMaxSlots) - 1;
        _vm = backend.System.CreateVm();
        _figures = new KvmStatistics(() => Has(KvmCapability.BinaryStatsFd) ? _vm.GetStatsFd() : null);
        try
        {
            Configure(options);
        }
        catch (VmmException)
        {
            _vm.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public InterruptControllerMode InterruptControllerMode { get; }

    /// <summary>The backend.</summary>
    public KvmBackend Backend { get; }

    /// <summary>The VM's name.</summary>
    public string Name { get; }

    /// <summary>The instructions that do not leave the guest.</summary>
    internal DisabledExits DisabledExits { get; private set; }

    /// <summary>Whether accesses to IA32_APIC_BASE and IA32_TSC_DEADLINE become exits.</summary>
    internal bool FiltersApicMsrs { get; private set; }

    /// <inheritdoc/>
    public IBackendVcpu CreateVcpu(VcpuId id)
    {
        if (id.Value < 0 || id.Value >= _maxCpus)
        {
            throw new VmmException("KVM_CREATE_VCPU", VmmError.EINVAL, $"vCPU {id} is not 0 to {_maxCpus - 1}");
        }

        KvmVcpuFd vcpu = _vm.CreateVcpu((uint)id.Value);
        try
        {
            AddRing(vcpu);
            return new KvmVcpu(this, vcpu, id);
        }
        catch (VmmException)
        {
            vcpu.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IDisposable PlaceMemory(in MemoryPlacement placement)
    {
        const string Operation = "KVM_SET_USER_MEMORY_REGION";
        if (placement.Block is not KvmMemoryBlock block)
        {
            throw new VmmException(Operation, VmmError.EINVAL, "the memory was not allocated by this backend");
        }

        lock (_lock)
        {
            int slot = _placements.IndexOf(null);
            if (slot < 0)
            {
                slot = _placements.Count;
                if (slot == _maxSlots)
                {
                    throw new VmmException(Operation, VmmError.ENOSPC, $"all {_maxSlots} memory slots of the VM are in use");
                }

                _placements.Add(null);
            }

            KvmMemoryRegionFlags flags =
                (placement.ReadOnly ? KvmMemoryRegionFlags.Readonly : KvmMemoryRegionFlags.None)
                | (placement.TrackDirty && !placement.ReadOnly
                    ? KvmMemoryRegionFlags.LogDirtyPages
                    : KvmMemoryRegionFlags.None);
            _vm.SetUserMemoryRegion(
                (uint)slot, flags, placement.Range.Start.Value, block.Mapping, placement.Offset, placement.Range.Length);
            Placement added = new(this, slot, placement, block);
            _placements[slot] = added;
            return added;
        }
    }

    /// <inheritdoc/>
    public void SetLine(int line, bool asserted) => _vm.IrqLine((uint)line, asserted);

    /// <inheritdoc/>
    public bool SignalMsi(ulong address, uint data) => _vm.SignalMsi(new KvmMsi
    {
        AddressLo = (uint)address,
        AddressHi = (uint)(address >> 32),
        Data = data,
    });

    /// <summary>
    /// Whether an emulation failure is an exit and nothing else. Without the capability KVM queues an invalid-opcode exception besides.
    /// </summary>
    public bool ExitsOnEmulationFailure { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<BackendStatistic> ReadStatistics() => _figures.Read();

    /// <summary>Whether the VM has a capability.</summary>
    public bool Has(KvmCapability capability) => _vm.CheckExtension(capability) > 0;

    /// <summary>
    /// The bytes of guest memory at an address, up to the end of its placement or page; empty where there is none.
    /// </summary>
    public Span<byte> MemoryAt(GuestPhysicalAddress address, int length)
    {
        lock (_lock)
        {
            foreach (Placement? placement in _placements)
            {
                if (placement is not null && placement.Range.Contains(address))
                {
                    ulong left = placement.Range.Last.Value - address.Value + 1;
                    ulong offset = placement.Offset + (address.Value - placement.Range.Start.Value);
                    return placement.Block.GetSpan(offset, (int)Math.Min((ulong)length, left));
                }
            }

            return default;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _statistics?.Dispose();
        _figures.Dispose();
        DisposeRings();
        _vm.Dispose();
    }

    private void Configure(in BackendVmOptions options)
    {
        // Only VMX uses these pages; elsewhere the requests are accepted and do nothing, or do not exist.
        if (Has(KvmCapability.SetTssAddr))
        {
            _vm.SetTssAddr(TssAddress);
        }

        if (Has(KvmCapability.SetIdentityMapAddr))
        {
            _vm.SetIdentityMapAddr(IdentityMapAddress);
        }

        switch (InterruptControllerMode)
        {
            case InterruptControllerMode.Kernel:
                _vm.CreateIrqchip();
                AddLineRoutes();
                WriteRoutes();
                _vm.CreatePit2(KvmPitConfigFlags.SpeakerDummy);
                break;
            case InterruptControllerMode.Split:
                _vm.EnableSplitIrqchip(KvmConstants.IoapicNumPins);
                break;
            default:
                break;
        }

        if (options.MsrExits && Has(KvmCapability.X86UserSpaceMsr))
        {
            EnableMsrExits();
        }

        DisableExits(options.DisabledExits);
        SetMsrFilter(options);
        ConfigureDirtyLog(options);

        if (Has(KvmCapability.ExitOnEmulationFailure) && Backend.ExitOnEmulationFailure)
        {
            _vm.EnableExitOnEmulationFailure(true);
            ExitsOnEmulationFailure = true;
        }
        else
        {
            KvmLog.CannotTellPosition(Backend.Log, Name);
        }

        if (Has(KvmCapability.ExceptionPayload))
        {
            _vm.EnableExceptionPayload(true);
        }
    }

    private void DisableExits(DisabledExits exits)
    {
        KvmDisableExits wanted = (exits.HasFlag(DisabledExits.Halt) ? KvmDisableExits.Hlt : KvmDisableExits.None)
            | (exits.HasFlag(DisabledExits.Pause) ? KvmDisableExits.Pause : KvmDisableExits.None)
            | (exits.HasFlag(DisabledExits.Mwait) ? KvmDisableExits.Mwait : KvmDisableExits.None);
        if (wanted == KvmDisableExits.None)
        {
            return;
        }

        KvmDisableExits offered = (KvmDisableExits)_vm.CheckExtension(KvmCapability.X86DisableExits);
        if ((wanted & ~offered) != 0)
        {
            throw new VmmException(
                "KVM_CAP_X86_DISABLE_EXITS", VmmError.ENOTSUP, $"this host's KVM does not let a guest keep {wanted & ~offered}");
        }

        _vm.DisableExits(wanted);
        DisabledExits = exits;
    }

    private void Remove(int slot)
    {
        lock (_lock)
        {
            if (!_vm.IsClosed)
            {
                _vm.DeleteMemoryRegion((uint)slot);
            }

            _placements[slot] = null;
        }
    }
}
