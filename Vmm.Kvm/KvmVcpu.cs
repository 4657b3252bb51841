// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>A vCPU of KVM.</summary>
/// <remarks>
/// <para>
/// Registers live in three places: KVM's own state, the run page (general registers, where the host synchronises them) and
/// the caches of this class. A cache is valid from its first use until the next run, and written back before it, registers
/// always before events, because setting registers clears a pending exception.
/// </para>
/// <para>
/// KVM retires an instruction whose access user space answered only inside the next KVM_RUN. A run with the immediate-exit
/// flag does that and nothing else, and ends with EINTR.
/// </para>
/// </remarks>
internal sealed partial class KvmVcpu : IBackendVcpu, IBackendStatistics
{
    private readonly KvmVm _vm;
    private readonly KvmVcpuFd _fd;
    private readonly RunPage _page;
    private readonly int _kickSignal;
    private readonly Lock _kickLock = new();
    private readonly KvmStatistics _figures;
    private bool _disposed;
    private bool _hasRun;

    public KvmVcpu(KvmVm vm, KvmVcpuFd fd, VcpuId id)
    {
        _vm = vm;
        _fd = fd;
        _page = fd.Page;
        _figures = new KvmStatistics(() => vm.Has(KvmCapability.BinaryStatsFd) ? fd.GetStatsFd() : null);
        _kickSignal = vm.Backend.KickSignal;
        _syncRegisters = vm.Backend.UseSyncedRegisters;
        Id = id;
        if (_syncRegisters)
        {
            _page.Run.ValidRegs = (ulong)KvmSyncFields.Regs;
        }
    }

    /// <inheritdoc/>
    public VcpuId Id { get; }

    /// <summary>The run page, for tests that write exits by hand.</summary>
    internal RunPage Page => _page;

    /// <inheritdoc/>
    public IReadOnlyList<BackendStatistic> ReadStatistics() => _figures.Read();

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_kickLock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _runningThread = 0;
        }

        _figures.Dispose();
        _fd.Dispose();
    }
}
