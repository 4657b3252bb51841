// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>What kind of hypervisor a backend is.</summary>
/// <param name="Name">Its name, such as <c>kvm</c>.</param>
/// <param name="Virtualization">How it executes guests.</param>
/// <param name="MaxCpus">How many vCPUs a VM may have.</param>
/// <param name="CpuidFixedAfterRun">Whether a vCPU's CPUID can no longer change once it has run.</param>
public readonly record struct HypervisorDescription(
    string Name,
    HostVirtualization Virtualization,
    int MaxCpus,
    bool CpuidFixedAfterRun)
{
    /// <summary>
    /// Whether the hypervisor interprets the guest's kernel mode: then executing it in the engine is the faster way, and the second
    /// chance goes on for a batch of instructions.
    /// </summary>
    public bool InterpretsKernelMode { get; init; }

    /// <summary>
    /// Whether VMs can record which pages the guest writes (<see cref="BackendVmOptions.TrackDirty"/>). Their placements of memory that can be
    /// written are then an <see cref="IDirtyLog"/>.
    /// </summary>
    public bool RecordsWrittenPages { get; init; }
}
