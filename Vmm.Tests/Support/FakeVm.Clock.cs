// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Tests.Support;

/// <content>A paravirtual clock, where a test gives it a value.</content>
internal sealed partial class FakeVm : IBackendClock
{
    /// <summary>What the clock shows; null where there is none.</summary>
    public ulong? Clock { get; set; }

    public bool TryReadClock(out ulong nanoseconds)
    {
        RequireAlive();
        RequireNobodyRuns();
        nanoseconds = Clock ?? 0;
        return Clock is not null;
    }

    public void WriteClock(ulong nanoseconds)
    {
        RequireAlive();
        RequireNobodyRuns();
        Clock = nanoseconds;
    }
}

/// <content>What is told of the time.</content>
internal sealed partial class FakeVcpu : IBackendVcpuTime
{
    public bool TakesTscOffset => _machine.Backend.TakesTscOffset;

    public long TscFrequency { get; set; } = 2_000_000_000;

    public bool TrySetTscOffset(ulong offset)
    {
        Use();
        TscOffset = TakesTscOffset ? offset : TscOffset;
        return TakesTscOffset;
    }

    /// <summary>How often the guest was told that it was stopped.</summary>
    public int PausesTold { get; private set; }

    public bool TryTellPause()
    {
        Use();
        PausesTold++;
        return true;
    }
}
