// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>An interrupt line that remembers its level and when it rose.</summary>
internal sealed class TimedLine(IVirtualClock clock) : IInterruptLine
{
    internal bool Level { get; private set; }

    internal List<long> Rises { get; } = [];

    internal List<long> Falls { get; } = [];

    public void SetLevel(bool asserted)
    {
        if (asserted != Level)
        {
            (asserted ? Rises : Falls).Add(clock.Now);
        }

        Level = asserted;
    }
}
