// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>A port by which a guest drives a wire: bit 0 is its level.</summary>
internal sealed class LineSwitch(IInterruptLine line) : IPortHandler
{
    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        value = 0;
        return PortOutcome.Handled;
    }

    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        line.SetLevel((value & 1) != 0);
        return PortOutcome.Handled;
    }
}
