// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.State;

namespace Vmm.Engine.State;

/// <summary>
/// The class LAPIC of a vCPU whose local APIC is the engine's, for its owner: the chip's layout, with the task priority and the base that the
/// hypervisor's vCPU shares with it.
/// </summary>
internal sealed class LocalApicData(VirtualCpu cpu, VmmDataVersionEntry entry) : IVmmDataSource
{
    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = entry;

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request) => cpu.ReadLocalApicData(request);

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request) => cpu.WriteLocalApicData(request);
}
