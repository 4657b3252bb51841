// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>
/// Shows that every vCPU of a VM is frozen by the thread that holds it; disposing it lets them go. Obtained from
/// <see cref="IVirtualMachine.FreezeVcpus"/> and required by what must not race against a running guest.
/// </summary>
/// <remarks>
/// It belongs to the thread that froze: on another one, what requires a token refuses it, and so does <see cref="IDisposable.Dispose"/>, both
/// with <see cref="InvalidOperationException"/>, after which the token is as it was. So there is no <c>await</c> between freezing and letting
/// go. Its thread runs none of the vCPUs meanwhile, and a handler that it calls, while it retires or abandons an access, cannot use it.
/// </remarks>
public interface IVcpuFreeze : IDisposable
{
    /// <summary>The VM whose vCPUs are frozen.</summary>
    IVirtualMachine Machine { get; }
}
