// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The registers that a far transfer may change, to put back when it fails half-way.</summary>
internal readonly struct CpuSnapshot
{
    private readonly GeneralRegisters _general;
    private readonly SegmentRegisters _segments;
    private readonly ulong _rflags;
    private readonly ulong _nextRip;

    internal CpuSnapshot(CpuState s)
    {
        _general = s.General;
        _segments = s.Segments;
        _rflags = s.Rflags;
        _nextRip = s.NextRip;
    }

    internal void Restore(CpuState s)
    {
        s.General = _general;
        s.Segments = _segments;
        s.Rflags = _rflags;
        s.NextRip = _nextRip;
    }
}
