// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;

namespace Vmm.Abstractions.Backend;

/// <summary>How the hypervisor's part of a VM is created.</summary>
/// <param name="Name">The VM's name, for the host's listings and messages.</param>
/// <param name="MaxCpus">The highest number of vCPUs that will be created.</param>
/// <param name="InterruptControllerMode">Who has the interrupt controllers.</param>
/// <param name="TrackDirty">Whether written pages will be asked for.</param>
/// <param name="MsrExits">
/// Whether accesses to MSRs that the hypervisor does not know become exits; otherwise the guest gets <c>#GP</c>.
/// </param>
/// <param name="HypercallExits">Whether hypercalls that the hypervisor hands over become exits.</param>
public readonly record struct BackendVmOptions(
    string Name,
    int MaxCpus,
    InterruptControllerMode InterruptControllerMode,
    bool TrackDirty,
    bool MsrExits,
    bool HypercallExits)
{
    /// <summary>
    /// Whether, in userspace mode, the guest's accesses to IA32_APIC_BASE and IA32_TSC_DEADLINE become exits, because the engine has
    /// the local APICs. A hypervisor that cannot hand them over keeps them.
    /// </summary>
    public bool ApicMsrExits { get; init; }

    /// <summary>Instructions that do not leave the guest; ENOTSUP where the hypervisor cannot keep them inside.</summary>
    public DisabledExits DisabledExits { get; init; }

    /// <summary>Which MSRs the hypervisor may handle by itself; all that it knows when null.</summary>
    public MsrFilter? MsrFilter { get; init; }
}
