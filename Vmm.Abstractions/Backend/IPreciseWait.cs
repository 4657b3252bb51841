// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Time;

namespace Vmm.Abstractions.Backend;

/// <summary>A wait for a point in time, finer than the base library's milliseconds.</summary>
public interface IPreciseWait : IDisposable
{
    /// <summary>
    /// Waits until a point in time has come or somebody has called <see cref="Wake"/>, also before the wait began. May return
    /// early without either. One thread at a time.
    /// </summary>
    /// <param name="time">On the host's monotonic clock; <see cref="long.MaxValue"/> nanoseconds stand for never.</param>
    void WaitUntil(HostTime time);

    /// <summary>Ends the present wait, or the next one if there is none. Any thread; does not block.</summary>
    void Wake();
}
