// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Chips;

/// <summary>The interrupt controllers and timers of a VM. An optional interface of a VM.</summary>
public interface IPlatformChips
{
    /// <summary>The local APIC of a vCPU.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <returns>The chip.</returns>
    [VmmKernelSymbol("vm_lapic")]
    ILocalApic GetLocalApic(VcpuId vcpu);

    /// <summary>The I/O APIC.</summary>
    [VmmKernelSymbol("vm_ioapic")]
    IIoApic IoApic { get; }

    /// <summary>The pair of 8259 interrupt controllers.</summary>
    [VmmKernelSymbol("vm_atpic")]
    IAtPic AtPic { get; }

    /// <summary>The 8254 timer.</summary>
    [VmmKernelSymbol("vm_atpit")]
    IAtPit AtPit { get; }

    /// <summary>The high-precision event timer.</summary>
    [VmmKernelSymbol("vm_hpet")]
    IHpet Hpet { get; }

    /// <summary>The ACPI power-management timer.</summary>
    [VmmKernelSymbol("vm_pmtmr")]
    IPmTimer PmTimer { get; }

    /// <summary>The real-time clock.</summary>
    [VmmKernelSymbol("vm_rtc")]
    IRtc Rtc { get; }
}
