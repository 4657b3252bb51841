// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Tests.Support;

/// <content>The local APIC that the scripted hypervisor has: a page of registers that does nothing by itself.</content>
internal sealed partial class FakeVcpu : IBackendLocalApic
{
    private readonly byte[] _localApic = new byte[IBackendLocalApic.PageLength];

    /// <summary>The registers, each at its offset.</summary>
    public Span<byte> LocalApicPage => _localApic;

    /// <summary>How often the page was read.</summary>
    public int LocalApicReads { get; private set; }

    public long TimerFrequency => 1_000_000_000;

    public void ReadLocalApic(Span<byte> page)
    {
        LocalApicReads++;
        _localApic.CopyTo(page);
    }

    public void WriteLocalApic(ReadOnlySpan<byte> page) => page.CopyTo(_localApic);

    /// <summary>Sets or clears a vector in one of the 256-bit registers.</summary>
    public void SetVector(int register, byte vector, bool set)
    {
        int offset = register + ((vector >> 5) * 0x10) + ((vector & 31) >> 3);
        byte bit = (byte)(1 << (vector & 7));
        _localApic[offset] = (byte)(set ? _localApic[offset] | bit : _localApic[offset] & ~bit);
    }
}
