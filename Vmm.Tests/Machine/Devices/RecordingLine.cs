// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Tests.Machine.Devices;

/// <summary>An interrupt line that remembers its level and every change.</summary>
internal sealed class RecordingLine : IInterruptLine
{
    internal bool Level { get; private set; }

    internal List<bool> Changes { get; } = [];

    public void SetLevel(bool asserted)
    {
        Level = asserted;
        Changes.Add(asserted);
    }
}
