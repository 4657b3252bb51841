// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;

namespace Vmm.Software;

/// <summary>A vCPU in software.</summary>
/// <remarks>
/// <para>
/// Its state is the executor's <see cref="CpuState"/>, so nothing is copied. An access that user space must answer leaves the state in
/// front of the instruction; when it is answered the instruction is executed again from its start, and <see cref="AccessLog"/> makes
/// each side effect happen once.
/// </para>
/// <para>
/// Instructions are executed in batches, between which kicks and events are looked at. Where something has to be decided at each
/// instruction, the executor is bound with <see cref="Watched"/> and not <see cref="Unwatched"/>; the semantics are the same.
/// </para>
/// </remarks>
internal sealed partial class SoftwareVcpu : IBackendVcpu
{
    private readonly SoftwareVm _vm;
    private int _isExecuting;
    private int _mapVersion = -1;
    private bool _disposed;

    public SoftwareVcpu(SoftwareVm vm, VcpuId id)
    {
        _vm = vm;
        Id = id;
        State.TranslatesAfter = vm.TranslatesAfter;
        State.TranslationWorker = vm.TranslatesAtOnce ? null : QueueTranslation;
        ProcessorReset.Apply(State);
        SetCpuid(SoftwareProcessor.Entries.AsSpan());
        _msrs = MakeMsrs();
    }

    /// <inheritdoc/>
    public VcpuId Id { get; }

    /// <summary>The registers.</summary>
    public CpuState State { get; } = new();

    /// <summary>The accesses to devices of the instruction that has to wait for answers.</summary>
    public AccessLog Accesses { get; } = new();

    /// <summary>The memory that was accessed last.</summary>
    public MemoryRegion Region { get; private set; } = MemoryRegion.None;

    /// <summary>Whether the vCPU may be accessing guest memory. Any thread.</summary>
    public bool IsExecuting => Volatile.Read(ref _isExecuting) != 0;

    /// <inheritdoc/>
    public BackendActivity Activity
    {
        get => BackendActivity.Runnable;
        set
        {
            // The engine has the local APICs, and knows what its vCPUs do.
        }
    }

    /// <inheritdoc/>
    public long TscDeadlineFrequency => _vm.Options.ApicMsrExits ? SoftwareClock.Frequency : 0;

    /// <summary>The vCPU does not access memory for a while.</summary>
    public void LeaveMemory() => Volatile.Write(ref _isExecuting, 0);

    /// <summary>The vCPU has memory to itself and goes on accessing it.</summary>
    public void ReturnToMemory() => Interlocked.Exchange(ref _isExecuting, 1);

    /// <inheritdoc/>
    public void MemoryWritten()
    {
        // Code is compared with memory when it is executed, and page tables are read from it.
    }

    /// <inheritdoc/>
    public void ForgetTranslations() => State.FlushTranslations();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _vm.Remove(this);
        }
    }

    private static VmmException Unrepresentable(string operation, object register) =>
        new(operation, VmmError.EINVAL, $"the software processor has no register {register}");
}
