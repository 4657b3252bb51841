// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Memory;

/// <summary>Answers accesses to a range of guest-physical addresses that has no memory behind it.</summary>
/// <remarks>
/// Called on the vCPU's thread, which owns the vCPU, possibly on several vCPUs at once, with no lock held but that of a coalesced range. Must
/// not throw. Cannot run the vCPU nor freeze, change or destroy the VM (<see cref="InvalidOperationException"/>): that is for the thread that
/// runs the vCPU, behind the run. An access that crosses a page comes as two.
/// </remarks>
public interface IMmioHandler
{
    /// <summary>The guest reads.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="offset">The offset from the start of the handler's range.</param>
    /// <param name="bytes">1 to 8; never beyond the range.</param>
    /// <returns>The value, little-endian; bytes beyond the width are ignored.</returns>
    ulong Read(IVirtualCpu vcpu, ulong offset, int bytes);

    /// <summary>The guest writes.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="offset">The offset from the start of the handler's range.</param>
    /// <param name="bytes">1 to 8; never beyond the range.</param>
    /// <param name="value">The value, little-endian and zero-extended.</param>
    void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value);
}
