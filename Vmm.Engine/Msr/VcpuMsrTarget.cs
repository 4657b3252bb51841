// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;

namespace Vmm.Engine.Msr;

/// <summary>A vCPU as saving and restoring see it.</summary>
/// <param name="vcpu">The vCPU.</param>
internal sealed class VcpuMsrTarget(IVirtualCpu vcpu) : IMsrTarget
{
    /// <inheritdoc/>
    public bool TryGetMsr(MsrIndex index, out ulong value) => vcpu.TryGetMsr(index, out value);

    /// <inheritdoc/>
    public bool TrySetMsr(MsrIndex index, ulong value) => vcpu.TrySetMsr(index, value);
}
