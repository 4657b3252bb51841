// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// Where a console's output goes. Called on a vCPU's thread while the guest waits: it must return within bounded time and
/// never throw.
/// </summary>
public interface IConsoleSink
{
    /// <summary>Takes bytes over; they are copied before it returns.</summary>
    /// <param name="data">What the guest has written.</param>
    void Write(ReadOnlySpan<byte> data);
}
