// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.State;
using Vmm.Emulation.Msr;

namespace Vmm.Engine.State;

/// <summary>
/// The class MSR of one vCPU, for its owner. It lists what bhyve's does, less what this vCPU lacks, and takes every register that can be
/// read. The time-stamp counter goes as the vCPU's own part of its offset, so that it goes on counting on the way.
/// </summary>
internal sealed class MsrData(VirtualCpu cpu, VmmDataVersionEntry entry) : FieldData(entry)
{
    private const uint TimeStampCounter = 0x10;
    private const uint MtrrCapabilities = 0xfe;

    /// <summary>EFER, what system calls need, PAT, the TSC, and the memory types.</summary>
    private static readonly uint[] s_listed =
    [
        0xc000_0080, 0xc000_0102, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0x174, 0x175, 0x176, 0x277,
        TimeStampCounter, MtrrCapabilities, 0x2ff, .. Range(0x268, 8), .. Range(0x258, 2), 0x250, .. Range(0x200, 20),
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<uint> Listed => s_listed;

    /// <inheritdoc/>
    protected override bool TryGet(uint number, out ulong value) => number == TimeStampCounter
        ? cpu.TryGetOwnTscOffset(out value)
        : cpu.TryGetMsr(new MsrIndex(number), out value);

    /// <inheritdoc/>
    protected override VmmError Check(uint number, ulong value)
    {
        if (!TryGet(number, out ulong present))
        {
            return VmmError.EINVAL;
        }

        return number switch
        {
            MtrrCapabilities when value != present => VmmError.EINVAL,
            TimeStampCounter when value != present && !cpu.TakesTscOffset => VmmError.ENOTSUP,
            _ => CanHave(number, value) ? VmmError.None : VmmError.EINVAL,
        };
    }

    /// <inheritdoc/>
    protected override VmmError Set(uint number, ulong value)
    {
        bool isTaken = number switch
        {
            MtrrCapabilities => true,
            TimeStampCounter => cpu.TrySetOwnTscOffset(value),
            _ => cpu.TrySetMsr(new MsrIndex(number), value),
        };
        return isTaken ? VmmError.None : VmmError.EINVAL;
    }

    /// <summary>Whether a value has the form that its register asks for, which a hypervisor need not look at.</summary>
    private static bool CanHave(uint number, ulong value)
    {
        const int WidestLinear = 57;
        const int WidestPhysical = 52;
        return !MsrRegistry.TryFind(new MsrIndex(number), out MsrDescription description)
            || description.Rule is not (MsrRule.Canonical or MsrRule.Pat or MsrRule.MtrrFixed or MsrRule.MtrrBase or MsrRule.MtrrMask or MsrRule.MtrrDefault)
            || MsrChecks.IsAccepted(description, value, WidestLinear, WidestPhysical);
    }

    private static IEnumerable<uint> Range(int first, int count) => Enumerable.Range(first, count).Select(number => (uint)number);
}
