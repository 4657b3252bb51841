// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Msr;

namespace Vmm.Software;

/// <summary>The registers that instructions work on, by their numbers, and which registers make up a vCPU's state.</summary>
internal static class SoftwareMsrs
{
    /// <summary>
    /// IA32_ARCH_CAPABILITIES: a processor that executes nothing ahead of time has none of the weaknesses that the bits deny (Intel
    /// SDM volume 4, architectural MSRs): RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
    /// PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
    /// </summary>
    private const ulong Invulnerable = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 20
        | 1 << 24 | 1 << 26 | 1 << 27 | 1UL << 62;

    /// <summary>Values that differ from those that the registry gives.</summary>
    public static ImmutableArray<MsrEntry> Initial { get; } = [new(new MsrIndex(0x10a), Invulnerable)];

    /// <summary>The registers that are saved and restored with a vCPU.</summary>
    public static ImmutableArray<MsrIndex> Saved { get; } = FindSaved();

    /// <summary>Reads one of the executor's registers.</summary>
    public static bool TryGet(CpuState state, uint index, out ulong value)
    {
        (bool isKnown, value) = index switch
        {
            0x174 => (true, state.SysenterCs),
            0x175 => (true, state.SysenterEsp),
            0x176 => (true, state.SysenterEip),
            0xda0 => (true, state.Xss),
            0xc0000080 => (true, state.Efer),
            0xc0000081 => (true, state.Star),
            0xc0000082 => (true, state.LStar),
            0xc0000083 => (true, state.CStar),
            0xc0000084 => (true, state.SyscallMask),
            0xc0000100 => (true, state.Segments[(int)SegmentName.Fs].Base),
            0xc0000101 => (true, state.Segments[(int)SegmentName.Gs].Base),
            0xc0000102 => (true, state.KernelGsBase),
            0xc0000103 => (true, state.TscAux),
            _ => (false, 0UL),
        };
        return isKnown;
    }

    /// <summary>Writes one of the executor's registers.</summary>
    /// <returns>Whether it took the value; null when it is none of them.</returns>
    public static bool? TrySet(CpuState state, uint index, ulong value)
    {
        const int WidestLinear = 57;
        const int WidestPhysical = 52;
        if (TryGet(state, index, out _)
            && MsrRegistry.TryFind(new MsrIndex(index), out MsrDescription description)
            && !MsrChecks.IsAccepted(description, value, WidestLinear, WidestPhysical))
        {
            return false;
        }

        switch (index)
        {
            case 0x174:
                state.SysenterCs = (uint)value;
                return true;
            case 0x175:
                state.SysenterEsp = value;
                return true;
            case 0x176:
                state.SysenterEip = value;
                return true;
            case 0xda0:
                state.Xss = value;
                return true;
            case 0xc0000080:
                state.Efer = value;
                state.FlushTranslations();
                return true;
            case 0xc0000081:
                state.Star = value;
                return true;
            case 0xc0000082:
                state.LStar = value;
                return true;
            case 0xc0000083:
                state.CStar = value;
                return true;
            case 0xc0000084:
                state.SyscallMask = (uint)value;
                return true;
            case 0xc0000100:
                state.Segments[(int)SegmentName.Fs].Base = value;
                return true;
            case 0xc0000101:
                state.Segments[(int)SegmentName.Gs].Base = value;
                return true;
            case 0xc0000102:
                state.KernelGsBase = value;
                return true;
            case 0xc0000103:
                state.TscAux = (uint)value;
                return true;
            default:
                return null;
        }
    }

    private static ImmutableArray<MsrIndex> FindSaved()
    {
        MsrFile file = new(new MsrFileOptions
        {
            Definition = new CpuDefinition(SoftwareProcessor.Entries.AsSpan()),
            ServesHypervisorLayer = true,
        });
        return
        [
            .. MsrRegistry.All
                .Where(description => description.Save != MsrSaveOrder.Never && file.TrySave(description.Index, 0, out _))
                .Select(description => description.Index),
        ];
    }
}
