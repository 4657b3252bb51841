// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>The local APIC inside KVM.</content>
internal sealed partial class KvmVcpu : IBackendLocalApic
{
    /// <inheritdoc/>
    /// <remarks>KVM's bus clock, as long as nobody sets KVM_CAP_X86_APIC_BUS_CYCLES_NS (api.rst).</remarks>
    public long TimerFrequency => 1_000_000_000;

    /// <inheritdoc/>
    public void ReadLocalApic(Span<byte> page)
    {
        _fd.GetLapic(out KvmLapicState state);
        Span<byte> registers = state.Regs;
        registers.CopyTo(page);
    }

    /// <inheritdoc/>
    public void WriteLocalApic(ReadOnlySpan<byte> page)
    {
        KvmLapicState state = default;
        Span<byte> registers = state.Regs;
        page[..IBackendLocalApic.PageLength].CopyTo(registers);
        WriteBack();
        _fd.SetLapic(state);
        _sregsValid = false;
    }
}
