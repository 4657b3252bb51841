// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Keeps what it was told, and does what the test wants done at each report.</summary>
internal sealed class RecordingDeadlines : IDeadlineHandler
{
    public List<(int Timer, long Now)> Reports { get; } = new(64);

    public Action<int, long>? OnReached { get; set; }

    public void DeadlineReached(int timer, long now)
    {
        Reports.Add((timer, now));
        OnReached?.Invoke(timer, now);
    }
}
