// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// A repeated CMPS or SCAS and the status flags from before it, which a fault of an element gives back (volume 2, REP). AMD's processors
/// leave those of the last element that completed.
/// </summary>
internal struct RepeatedComparison
{
    private const int Count = 1;
    private const int Source = 6;
    private const int Destination = 7;

    private bool _isLeft;
    private long _result;
    private ulong _carries;
    private Place _place;

    /// <summary>The instruction is executed: from its beginning, or from the element where it was left if nothing came between.</summary>
    internal void Begin(CpuState s)
    {
        if (!_isLeft || _place != Place.Of(s))
        {
            _result = s.FlagResult;
            _carries = s.FlagCarries;
        }

        _isLeft = false;
    }

    /// <summary>The instruction has elements left and will be executed again.</summary>
    internal void Leave(CpuState s)
    {
        _isLeft = true;
        _place = Place.Of(s);
    }

    /// <summary>An element has not completed: it faults, or waits.</summary>
    internal void Stop(CpuState s)
    {
        if (s.Outcome.Status != ExecutionStatus.Fault)
        {
            Leave(s);
            return;
        }

        s.FlagResult = _result;
        s.FlagCarries = _carries;
    }

    /// <summary>An event is delivered: what its handler returns to begins anew.</summary>
    internal void Forget() => _isLeft = false;

    /// <summary>What tells whether the state is still the one that was left.</summary>
    private readonly record struct Place(ulong Rip, ulong Rflags, ulong Remaining, ulong From, ulong To)
    {
        internal static Place Of(CpuState s) => new(s.Rip, s.Rflags, s.General[Count], s.General[Source], s.General[Destination]);
    }
}
