// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Software.Interop;

namespace Vmm.Software;

/// <summary>
/// A processor in software, built from the one executor: for hosts without a KVM that runs guests natively, and for runs that must be
/// repeatable. It needs nothing of the host but memory and threads.
/// </summary>
/// <remarks>
/// Interrupt controllers are the engine's: only <see cref="InterruptControllerMode.Userspace"/> is offered. A vCPU executes on its
/// caller's thread. Members may be called from any thread.
/// </remarks>
public sealed class SoftwareBackend : IHypervisorBackend, IPreciseWaitProvider, IHostEvents
{
    private readonly SoftwareBackendOptions _options;

    /// <summary>Makes the backend.</summary>
    /// <param name="options">How; the defaults when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">A VM could have no vCPU, or the sampling interval is negative.</exception>
    public SoftwareBackend(SoftwareBackendOptions? options = null)
    {
        _options = options ?? new SoftwareBackendOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.MaxCpus, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.SamplingInterval, TimeSpan.Zero, nameof(options));
        Description = new HypervisorDescription("software", HostVirtualization.Software, _options.MaxCpus, CpuidFixedAfterRun: false)
        {
            RecordsWrittenPages = true,
        };
    }

    /// <inheritdoc/>
    public HypervisorDescription Description { get; }

    /// <inheritdoc/>
    public ImmutableArray<CpuidEntry> GetSupportedCpuid() => SoftwareProcessor.Entries;

    /// <inheritdoc/>
    public ImmutableArray<MsrIndex> GetSupportedMsrs() => SoftwareMsrs.Saved;

    /// <inheritdoc/>
    public GuestMemoryBlock AllocateMemory(ulong length, in GuestMemoryOptions options)
    {
        const ulong PageSize = 4096;
        if (length == 0 || length % PageSize != 0 || length > long.MaxValue)
        {
            throw new VmmException(
                "AllocateMemory", VmmError.EINVAL, $"the length is a positive multiple of {PageSize}, not {length}");
        }

        return new SoftwareMemoryBlock(length, options);
    }

    /// <inheritdoc/>
    public IPreciseWait CreatePreciseWait() => new PreciseWait();

    /// <inheritdoc/>
    public IBackendVm CreateVm(in BackendVmOptions options)
    {
        if (options.InterruptControllerMode != InterruptControllerMode.Userspace)
        {
            throw new VmmException(
                "CreateVm",
                VmmError.ENOTSUP,
                $"the software backend has no interrupt controllers of its own for mode {options.InterruptControllerMode}; use {InterruptControllerMode.Userspace}");
        }

        if (_options.Time is not null && options.MaxCpus > 1)
        {
            throw new VmmException(
                "CreateVm", VmmError.ENOTSUP, $"time that instructions make is for one vCPU, not for {options.MaxCpus}");
        }

        return new SoftwareVm(options, _options);
    }

    /// <inheritdoc/>
    public SafeHandle CreateEvent() => EventDescriptors.Create();

    /// <inheritdoc/>
    public void SignalEvent(SafeHandle descriptor) => EventDescriptors.Signal(descriptor);

    /// <inheritdoc/>
    public ulong TakeEvent(SafeHandle descriptor) => EventDescriptors.Take(descriptor);

    /// <inheritdoc/>
    public IEventWait CreateEventWait() => new EventDescriptors.Wait();

    /// <inheritdoc/>
    public void Dispose()
    {
        // Memory and VMs live as long as they are used; the backend itself holds nothing.
    }
}
