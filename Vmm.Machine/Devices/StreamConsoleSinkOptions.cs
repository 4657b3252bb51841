// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>How a <see cref="StreamConsoleSink"/> deals with a slow or broken stream.</summary>
public sealed record StreamConsoleSinkOptions
{
    /// <summary>Bytes that wait for the stream at most; at least 1.</summary>
    public int Capacity { get; init; } = 1 << 20;

    /// <summary>
    /// How long the guest is made to wait for room before output is dropped. Once output has been dropped the guest does not
    /// wait again until the stream moves on.
    /// </summary>
    public TimeSpan WaitForRoom { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long disposing waits for the stream to take the rest.</summary>
    public TimeSpan WaitForEnd { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Called once, on the sink's own thread, with the first error of the stream; afterwards output is dropped. Must not throw.
    /// </summary>
    public Action<Exception>? OnError { get; init; }
}
