// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>The local APIC that a hypervisor keeps for a vCPU. An optional interface of a backend vCPU; the vCPU's owner.</summary>
public interface IBackendLocalApic
{
    /// <summary>The length of the part of the register page that has registers.</summary>
    const int PageLength = 0x400;

    /// <summary>
    /// The rate at which its timer counts with a divide value of 1, in Hz.
    /// </summary>
    long TimerFrequency { get; }

    /// <summary>
    /// Gives the register page as software sees it in xAPIC mode (SDM volume 3, "Local APIC Register Address Map"): each register at
    /// its offset, the current count as of now, the interrupt command in its two halves whatever the mode.
    /// </summary>
    /// <param name="page"><see cref="PageLength"/> bytes.</param>
    /// <exception cref="VmmException">EINVAL: the VM's local APICs are not the hypervisor's.</exception>
    void ReadLocalApic(Span<byte> page);

    /// <summary>
    /// Takes a register page of that form. The timer goes on from the current count in it; id and version stay the hypervisor's.
    /// </summary>
    /// <param name="page"><see cref="PageLength"/> bytes.</param>
    /// <exception cref="VmmException">EINVAL: as for reading, or a page that cannot be.</exception>
    void WriteLocalApic(ReadOnlySpan<byte> page);
}
