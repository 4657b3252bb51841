// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Tests.Support;

/// <content>The chips that the scripted hypervisor has: they keep what they are given.</content>
internal sealed partial class FakeVm : IBackendChips
{
    private readonly Backend8259[] _pics = new Backend8259[2];
    private BackendIoApic _ioApic = new(0, 0, [.. Enumerable.Repeat(1ul << 16, 24)], 0);
    private Backend8254 _pit;

    public int IoApicPins => 24;

    /// <summary>The calls that drove a pin of the I/O APIC alone.</summary>
    public List<(int Pin, bool Asserted)> PinCalls { get; } = [];

    /// <summary>The calls that drove a request of the 8259 pair alone.</summary>
    public List<(int Request, bool Asserted)> RequestCalls { get; } = [];

    public void SetPin(int pin, bool asserted) => PinCalls.Add((pin, asserted));

    public void SetRequest(int request, bool asserted) => RequestCalls.Add((request, asserted));

    public BackendIoApic ReadIoApic() => _ioApic;

    public void WriteIoApic(BackendIoApic state) => _ioApic = state;

    public Backend8259 Read8259(bool isSlave) => _pics[isSlave ? 1 : 0];

    public void Write8259(bool isSlave, in Backend8259 state) => _pics[isSlave ? 1 : 0] = state;

    public Backend8254 Read8254() => _pit;

    public void Write8254(in Backend8254 state) => _pit = state;
}
