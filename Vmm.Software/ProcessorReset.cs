// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <summary>The state of a processor after reset (Intel SDM volume 3, processor state after reset).</summary>
internal static class ProcessorReset
{
    private const uint CodeAccess = 0x9b;
    private const uint DataAccess = 0x93;
    private const uint LdtAccess = 0x82;
    private const uint TssAccess = 0x8b;
    private const ushort Limit = 0xffff;
    private const int Rdx = 2;

    /// <summary>Puts a new state there.</summary>
    public static void Apply(CpuState state)
    {
        const ulong CacheDisabled = 0x60000010;
        const ulong SignatureOfFamilySix = 0x600;
        state.Cr0 = CacheDisabled;
        state.Rip = 0xfff0;
        state.General[Rdx] = SignatureOfFamilySix;
        for (SegmentName name = SegmentName.Es; name <= SegmentName.Gs; name++)
        {
            state.Segments[(int)name] = new SegmentState { Limit = Limit, Access = DataAccess };
        }

        state.Segments[(int)SegmentName.Cs] = new SegmentState { Selector = 0xf000, Base = 0xffff0000, Limit = Limit, Access = CodeAccess };
        state.Segments[(int)SegmentName.Ldtr] = new SegmentState { Limit = Limit, Access = LdtAccess };
        state.Segments[(int)SegmentName.Tr] = new SegmentState { Limit = Limit, Access = TssAccess };
        state.Gdtr = new() { Limit = Limit };
        state.Idtr = new() { Limit = Limit };
    }
}
