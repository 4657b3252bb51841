// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Which model-specific registers KVM handles by itself.</content>
internal sealed partial class KvmVm
{
    /// <summary>Gives KVM the filter. What it denies becomes exits, which have to be on already (api.rst, KVM_X86_SET_MSR_FILTER).</summary>
    private void SetMsrFilter(MsrFilter filter)
    {
        const string Operation = "KVM_X86_SET_MSR_FILTER";
        if (!Has(KvmCapability.X86UserSpaceMsr) || !Has(KvmCapability.X86MsrFilter))
        {
            throw new VmmException(
                Operation, VmmError.ENOTSUP, "this host's KVM cannot leave registers to user space; it takes Linux 5.10, or all registers for KVM");
        }

        if (filter.Ranges.Length > KvmConstants.MsrFilterMaxRanges)
        {
            throw new VmmException(
                Operation, VmmError.ENOSPC, $"the filter has {filter.Ranges.Length} ranges and KVM takes {KvmConstants.MsrFilterMaxRanges}");
        }

        KvmMsrFilterEntry[] entries =
        [
            .. filter.Ranges.Select(static range => new KvmMsrFilterEntry(
                Accesses(range.Directions), range.First.Value, (uint)range.Count, range.Allowed.AsMemory())),
        ];
        _vm.SetMsrFilter(filter.IsDefaultAllow ? KvmMsrFilterFlags.Allow : KvmMsrFilterFlags.Deny, entries);
    }

    private static KvmMsrFilterRangeFlags Accesses(MsrDirections directions) =>
        ((directions & MsrDirections.Read) != 0 ? KvmMsrFilterRangeFlags.Read : default)
        | ((directions & MsrDirections.Write) != 0 ? KvmMsrFilterRangeFlags.Write : default);
}
