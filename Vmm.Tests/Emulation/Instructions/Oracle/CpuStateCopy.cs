// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>The registers that an instruction may change, put aside.</summary>
internal sealed class CpuStateCopy
{
    private const int ExtendedLength = 2816;

    private readonly GeneralRegisters _general;
    private readonly SegmentRegisters _segments;
    private readonly ulong _rip;
    private readonly ulong _rflags;
    private readonly ulong _cr0;
    private readonly ulong _cr2;
    private readonly ulong _cr3;
    private readonly ulong _cr4;
    private readonly ulong _cr8;
    private readonly ulong _efer;
    private readonly DescriptorTableRegister _gdtr;
    private readonly DescriptorTableRegister _idtr;
    private readonly byte[] _extended;

    internal CpuStateCopy(CpuState state)
    {
        _general = state.General;
        _segments = state.Segments;
        (_rip, _rflags) = (state.Rip, state.Rflags);
        (_cr0, _cr2, _cr3, _cr4, _cr8, _efer) = (state.Cr0, state.Cr2, state.Cr3, state.Cr4, state.Cr8, state.Efer);
        (_gdtr, _idtr) = (state.Gdtr, state.Idtr);
        _extended = state.Extended.Image[..ExtendedLength].ToArray();
    }

    internal void Restore(CpuState state)
    {
        state.General = _general;
        state.Segments = _segments;
        (state.Rip, state.Rflags) = (_rip, _rflags);
        (state.Cr0, state.Cr2, state.Cr3, state.Cr4, state.Cr8, state.Efer) = (_cr0, _cr2, _cr3, _cr4, _cr8, _efer);
        (state.Gdtr, state.Idtr) = (_gdtr, _idtr);
        _extended.CopyTo(state.Extended.Image);
    }
}
