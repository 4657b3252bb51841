// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Diagnostics;

/// <summary>A vCPU's registers and figures for a report.</summary>
/// <param name="Id">The vCPU.</param>
/// <param name="Registers">The general registers; zero when <paramref name="Problem"/> says why they cannot be read.</param>
/// <param name="Cr0">CR0.</param>
/// <param name="Cr2">CR2.</param>
/// <param name="Cr3">CR3.</param>
/// <param name="Cr4">CR4.</param>
/// <param name="Efer">IA32_EFER.</param>
/// <param name="Cs">The code segment's hidden part.</param>
/// <param name="Counters">What was counted.</param>
/// <param name="Times">Its time by what it was spent on.</param>
/// <param name="Problem">Why the registers cannot be read; null when they were.</param>
public sealed record VcpuReport(
    VcpuId Id,
    GeneralRegisters Registers,
    ulong Cr0,
    ulong Cr2,
    ulong Cr3,
    ulong Cr4,
    ulong Efer,
    SegmentDescriptor Cs,
    VcpuCounters Counters,
    VcpuTimes Times,
    string? Problem = null)
{
    private const ulong ProtectedMode = 1;
    private const ulong Paging = 1ul << 31;
    private const ulong LongModeActive = 1ul << 10;

    /// <summary>Whether linear addresses are physical ones.</summary>
    public bool IsUnpaged => (Cr0 & Paging) == 0;

    /// <summary>The width of the code that the vCPU executes: 16, 32 or 64 bits.</summary>
    public int Bitness => Cs.Access switch
    {
        { IsLong: true } when (Efer & LongModeActive) != 0 => 64,
        { IsDefault32: true } when (Cr0 & ProtectedMode) != 0 => 32,
        _ => 16,
    };

    /// <summary>The linear address of the instruction pointer.</summary>
    public ulong LinearRip => Bitness == 64 ? Registers.Rip : unchecked(Cs.Base + Registers.Rip);

    /// <summary>The privilege level that the code segment's descriptor says.</summary>
    public int Cpl => (int)Cs.Access.Dpl;

    /// <summary>Reads a vCPU that nobody runs.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <returns>The report; one that says why when the host refuses the registers.</returns>
    public static VcpuReport Read(IVirtualCpu vcpu)
    {
        ArgumentNullException.ThrowIfNull(vcpu);
        VcpuTimes times = vcpu.Times;
        try
        {
            using IDisposable ownership = vcpu.Acquire();
            return new VcpuReport(
                vcpu.Id,
                vcpu.GeneralRegisters,
                vcpu.GetRegister(RegisterName.Cr0),
                vcpu.GetRegister(RegisterName.Cr2),
                vcpu.GetRegister(RegisterName.Cr3),
                vcpu.GetRegister(RegisterName.Cr4),
                vcpu.GetRegister(RegisterName.Efer),
                vcpu.GetSegmentDescriptor(RegisterName.Cs),
                vcpu.Counters,
                times);
        }
        catch (VmmException refusal)
        {
            return new VcpuReport(vcpu.Id, default, 0, 0, 0, 0, 0, default, vcpu.Counters, times, refusal.Message);
        }
    }
}
