// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>KVM's paravirtual clock (api.rst, KVM_GET_CLOCK and KVM_SET_CLOCK).</content>
internal sealed partial class KvmVm : IBackendClock
{
    /// <inheritdoc/>
    public bool TryReadClock(out ulong nanoseconds)
    {
        bool isKept = Has(KvmCapability.AdjustClock);
        nanoseconds = isKept ? _vm.GetClock().Clock : 0;
        return isKept;
    }

    /// <inheritdoc/>
    public void WriteClock(ulong nanoseconds) => _vm.SetClock(new KvmClockData { Clock = nanoseconds });
}
