// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Which model-specific registers KVM handles by itself.</content>
internal sealed partial class KvmVm
{
    private const KvmMsrFilterRangeFlags BothWays = KvmMsrFilterRangeFlags.Read | KvmMsrFilterRangeFlags.Write;

    /// <summary>IA32_APIC_BASE and IA32_TSC_DEADLINE; the first range that has a register decides.</summary>
    private static readonly KvmMsrFilterEntry[] s_apicMsrs =
        [new(BothWays, 0x1b, 1, new byte[] { 0 }), new(BothWays, 0x6e0, 1, new byte[] { 0 })];

    /// <summary>
    /// Makes accesses exits that the caller's filter keeps from KVM, and, where the engine has the local APICs, those to the MSRs of
    /// theirs that KVM would answer itself. The x2APIC's own cannot be filtered (api.rst, KVM_X86_SET_MSR_FILTER) and need not be:
    /// without a local APIC of its own KVM does not know them.
    /// </summary>
    private void SetMsrFilter(in BackendVmOptions options)
    {
        const string Operation = "KVM_X86_SET_MSR_FILTER";
        bool canFilter = Has(KvmCapability.X86UserSpaceMsr) && Has(KvmCapability.X86MsrFilter);
        MsrFilter? filter = options.MsrFilter is { IsEmpty: false } given ? given : null;
        if (filter is not null && !canFilter)
        {
            throw new VmmException(
                Operation, VmmError.ENOTSUP, "this host's KVM cannot leave registers to user space; it takes Linux 5.10, or all registers for KVM");
        }

        FiltersApicMsrs = canFilter && options is { ApicMsrExits: true, InterruptControllerMode: InterruptControllerMode.Userspace };
        if (filter is null && !FiltersApicMsrs)
        {
            return;
        }

        KvmMsrFilterEntry[] entries = [.. FiltersApicMsrs ? s_apicMsrs : [], .. Entries(filter)];
        if (entries.Length > KvmConstants.MsrFilterMaxRanges)
        {
            throw new VmmException(
                Operation, VmmError.ENOSPC, $"the filter has {entries.Length} ranges and KVM takes {KvmConstants.MsrFilterMaxRanges}");
        }

        if (!options.MsrExits)
        {
            EnableMsrExits();
        }

        _vm.SetMsrFilter(filter is { IsDefaultAllow: false } ? KvmMsrFilterFlags.Deny : KvmMsrFilterFlags.Allow, entries);
    }

    private void EnableMsrExits() =>
        _vm.EnableUserSpaceMsr(KvmMsrExitReason.Unknown | KvmMsrExitReason.Inval | KvmMsrExitReason.Filter);

    private static IEnumerable<KvmMsrFilterEntry> Entries(MsrFilter? filter) => filter is null
        ? []
        : filter.Ranges.Select(static range => new KvmMsrFilterEntry(
            Accesses(range.Directions), range.First.Value, (uint)range.Count, range.Allowed.AsMemory()));

    private static KvmMsrFilterRangeFlags Accesses(MsrDirections directions) =>
        ((directions & MsrDirections.Read) != 0 ? KvmMsrFilterRangeFlags.Read : default)
        | ((directions & MsrDirections.Write) != 0 ? KvmMsrFilterRangeFlags.Write : default);
}
