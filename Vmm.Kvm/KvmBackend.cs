// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Serilog;
using Serilog.Core;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>The Linux hypervisor behind <c>/dev/kvm</c> (Linux, Documentation/virt/kvm/api.rst).</summary>
public sealed class KvmBackend : IHypervisorBackend, IPreciseWaitProvider, IHostEvents
{
    private const int DefaultMaxCpus = 4;

    private readonly KvmSystemFd _system;
    private readonly KvmBackendOptions _options;
    private readonly Lazy<ImmutableArray<CpuidEntry>> _supportedCpuid;
    private readonly Lazy<KvmDebugSupport> _debugSupport;
    private readonly Lazy<bool> _takesTscOffset;

    private KvmBackend(KvmSystemFd system, KvmBackendOptions options)
    {
        _system = system;
        _options = options;
        _supportedCpuid = new(() => [.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)]);
        _takesTscOffset = new(() => KvmVcpu.FindTscOffset(system));
        _debugSupport = new(() => system.CheckExtension(KvmCapability.SetGuestDebug) > 0 ? KvmDebugProbe.Find(this) : default);
        Log = (options.Logger ?? Logger.None).ForContext<KvmBackend>();
        int maxCpus = system.CheckExtension(KvmCapability.MaxVcpus);
        HostVirtualization virtualization = KvmHost.Detect();
        ShadowsPageTables = KvmHost.ShadowsPageTables(virtualization);
        Description = new HypervisorDescription(
            "kvm", virtualization, maxCpus > 0 ? maxCpus : DefaultMaxCpus, CpuidFixedAfterRun: true)
        {
            InterpretsKernelMode = virtualization == HostVirtualization.Pvm,
            RecordsWrittenPages = true,
        };
        UseSyncedRegisters = options.UseSyncedRegisters
            && ((KvmSyncFields)system.CheckExtension(KvmCapability.SyncRegs)).HasFlag(KvmSyncFields.Regs);
        KvmLog.Opened(Log, options.DevicePath, Description.Virtualization, UseSyncedRegisters);
    }

    /// <inheritdoc/>
    public HypervisorDescription Description { get; }

    internal ILogger Log { get; }

    internal int KickSignal => _options.KickSignal;

    internal bool ExitOnEmulationFailure => _options.ExitOnEmulationFailure;

    internal int DirtyRingEntries => _options.DirtyRingEntries;

    /// <summary>
    /// Whether KVM leaves the guest before a ring of written pages overflows. An interpreter in the kernel that executes many
    /// instructions in one entry does not, and overwrites entries that nobody has seen.
    /// </summary>
    internal bool IsDirtyRingReliable => !Description.InterpretsKernelMode || _options.TrustDirtyRing;

    internal bool UseSyncedRegisters { get; }

    /// <summary>What a debugger can have of guests on this host; tried out when it is first asked for.</summary>
    internal KvmDebugSupport DebugSupport => _debugSupport.Value;

    /// <summary>Whether a guest's time-stamp counter may differ from the host's; tried out when it is first asked for.</summary>
    internal bool TakesTscOffset => _takesTscOffset.Value;

    /// <summary>Whether KVM executes guests on page tables of its own.</summary>
    internal bool ShadowsPageTables { get; }

    internal KvmSystemFd System => _system;

    /// <summary>Opens the device and checks that it can be used.</summary>
    /// <param name="options">How; the defaults when null.</param>
    /// <returns>The backend, owned by the caller.</returns>
    /// <exception cref="VmmException">
    /// ENOENT: the host has no <c>/dev/kvm</c>; EACCES: it is not permitted; ENOTSUP: its interface is not version 12 or it
    /// lacks what the driver cannot do without; EBUSY: the kick signal has a handler; EINVAL: it is out of range.
    /// </exception>
    public static KvmBackend Open(KvmBackendOptions? options = null)
    {
        options ??= new KvmBackendOptions();
        if (options.KickSignal is < 35 or > 64)
        {
            throw new VmmException("KickSignal", VmmError.EINVAL, $"the kick signal is 35 to 64, not {options.KickSignal}");
        }

        if (options.DirtyRingEntries != 0
            && (options.DirtyRingEntries is < 256 or > 65536 || !int.IsPow2(options.DirtyRingEntries)))
        {
            throw new VmmException(
                "DirtyRingEntries", VmmError.EINVAL, $"a ring has a power of two from 256 to 65536 entries, not {options.DirtyRingEntries}");
        }

        KvmSystemFd system = KvmSystemFd.Open(options.DevicePath);
        try
        {
            Require(system, KvmCapability.UserMemory);
            Require(system, KvmCapability.ImmediateExit);
            if (!Signals.IsUnhandled(options.KickSignal))
            {
                throw new VmmException(
                    "sigaction",
                    VmmError.EBUSY,
                    $"signal {options.KickSignal} has a handler in this process; choose another with KickSignal");
            }

            Signals.Ignore(options.KickSignal);
            return new KvmBackend(system, options);
        }
        catch (VmmException)
        {
            system.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ImmutableArray<CpuidEntry> GetSupportedCpuid() => _supportedCpuid.Value;

    /// <inheritdoc/>
    public ImmutableArray<MsrIndex> GetSupportedMsrs() =>
        [.. _system.GetMsrIndexList().Select(index => new MsrIndex(index))];

    /// <inheritdoc/>
    public GuestMemoryBlock AllocateMemory(ulong length, in GuestMemoryOptions options)
    {
        if (length == 0 || !PageSize.IsMultiple(length))
        {
            throw new VmmException(
                "AllocateMemory", VmmError.EINVAL, $"the length is a positive multiple of 4096, not {length}");
        }

        return new KvmMemoryBlock(length, options);
    }

    /// <inheritdoc/>
    public IBackendVm CreateVm(in BackendVmOptions options) => new KvmVm(this, options);

    /// <inheritdoc/>
    public IPreciseWait CreatePreciseWait() => new PreciseWait();

    /// <inheritdoc/>
    public SafeHandle CreateEvent() => EventFd.Create();

    /// <inheritdoc/>
    public void SignalEvent(SafeHandle descriptor) => EventFd.Signal(descriptor);

    /// <inheritdoc/>
    public ulong TakeEvent(SafeHandle descriptor) => EventFd.Take(descriptor);

    /// <inheritdoc/>
    public IEventWait CreateEventWait() => new EventWait();

    /// <summary>Lets the device go; VMs that still exist keep it open.</summary>
    public void Dispose() => _system.Dispose();

    private static void Require(KvmSystemFd system, KvmCapability capability)
    {
        if (system.CheckExtension(capability) == 0)
        {
            throw KvmThrow.Missing("open", capability);
        }
    }
}
