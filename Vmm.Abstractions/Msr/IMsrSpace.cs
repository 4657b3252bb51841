// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>
/// The MSR accesses of a VM that its hypervisor hands over: registered handlers by range. What nobody claims is decided
/// by the VM's options.
/// </summary>
public interface IMsrSpace
{
    /// <summary>Registers a handler. Any thread.</summary>
    /// <param name="first">The first register.</param>
    /// <param name="last">The last register, not below the first.</param>
    /// <param name="handler">The handler.</param>
    /// <returns>The registration; disposing it detaches the handler.</returns>
    /// <exception cref="Errors.VmmException">EEXIST: a register of the range has a handler; EINVAL: empty range.</exception>
    IDisposable Attach(MsrIndex first, MsrIndex last, IMsrHandler handler);
}
