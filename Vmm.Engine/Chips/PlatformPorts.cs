// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Engine.Chips;

/// <summary>The ports of the engine's chips.</summary>
internal sealed class PlatformPorts(VirtualMachine machine) : IPortHandler
{
    /// <summary>Whether a port is the 8254's or its gate's.</summary>
    public static bool IsTimer(ushort port) => port is (>= AtPit.FirstPort and <= AtPit.ControlPort) or AtPit.SystemControlPort;

    /// <inheritdoc/>
    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        PlatformChips chips = machine.RequireChips();
        switch (port)
        {
            case var _ when IsTimer(port):
                return chips.AtPit!.Read(port, bytes, out value);
            case Rtc.AddressPort or Rtc.DataPort:
                return chips.Rtc.Read(port, bytes, out value);
            default:
                return chips.AtPic!.ReadPort(port, bytes, out value);
        }
    }

    /// <inheritdoc/>
    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        PlatformChips chips = machine.RequireChips();
        return port switch
        {
            _ when IsTimer(port) => chips.AtPit!.Write(port, bytes, value),
            Rtc.AddressPort or Rtc.DataPort => chips.Rtc.Write(port, bytes, value),
            _ => chips.AtPic!.WritePort(port, bytes, value),
        };
    }
}

/// <summary>The port of the power-management timer, wherever it is.</summary>
internal sealed class PmTimerPort(VirtualMachine machine) : IPortHandler
{
    /// <inheritdoc/>
    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value) =>
        machine.RequireChips().PmTimer.Read(bytes, out value);

    /// <inheritdoc/>
    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value) => PmTimer.Write();
}

/// <summary>The register page of the I/O APIC.</summary>
internal sealed class IoApicPage(VirtualMachine machine) : IMmioHandler
{
    /// <inheritdoc/>
    public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes) => machine.RequireChips().IoApic!.ReadMmio(offset, bytes);

    /// <inheritdoc/>
    public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) =>
        machine.RequireChips().IoApic!.WriteMmio(offset, bytes, value);
}

/// <summary>The registers of the HPET.</summary>
internal sealed class HpetWindow(VirtualMachine machine) : IMmioHandler
{
    /// <inheritdoc/>
    public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes) => machine.RequireChips().Hpet.Read(offset, bytes);

    /// <inheritdoc/>
    public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) =>
        machine.RequireChips().Hpet.Write(offset, bytes, value);
}

/// <summary>The register page of the local APICs: each vCPU sees its own.</summary>
internal sealed class LocalApicPage : IMmioHandler
{
    /// <inheritdoc/>
    public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes) => ((VirtualCpu)vcpu).ReadLocalApic(offset, bytes);

    /// <inheritdoc/>
    public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) =>
        ((VirtualCpu)vcpu).WriteLocalApic(offset, bytes, value);
}

/// <summary>The MSRs of the local APICs: each vCPU sees its own.</summary>
internal sealed class LocalApicMsrs : IMsrHandler
{
    /// <summary>The registers that are claimed, first and last.</summary>
    public static IReadOnlyList<(uint First, uint Last)> Ranges { get; } =
    [
        (LocalApic.ApicBaseMsr, LocalApic.ApicBaseMsr),
        (LocalApic.TscDeadlineMsr, LocalApic.TscDeadlineMsr),
        (LocalApic.FirstX2ApicMsr, LocalApic.LastX2ApicMsr),
    ];

    /// <inheritdoc/>
    public MsrOutcome Read(IVirtualCpu vcpu, MsrIndex index, out ulong value) =>
        ((VirtualCpu)vcpu).ReadLocalApicMsr(index.Value, out value);

    /// <inheritdoc/>
    public MsrOutcome Write(IVirtualCpu vcpu, MsrIndex index, ulong value) =>
        ((VirtualCpu)vcpu).WriteLocalApicMsr(index.Value, value);
}
