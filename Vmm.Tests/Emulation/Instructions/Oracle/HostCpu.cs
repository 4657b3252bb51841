// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics.X86;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using ExecutorFeatures = Vmm.Emulation.Instructions.Execution.CpuFeatures;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// What an oracle on this machine's processor has to know of it. Intel's and AMD's processors differ in #AC for vector operands (volume
/// 3, section 7.15; AMD, volume 4, MOVDQU), in MXCSR.MM (AMD, volume 1, MXCSR register), in RF between the elements of a repeated
/// instruction (volume 3, instruction-breakpoint exception; AMD, volume 2, RFLAGS register) and in the flags where one of them faults (volume 2, REP); <see cref="CpuState.Vendor"/> makes the executor follow.
/// </summary>
internal static class HostCpu
{
    private static readonly CpuidEntry[] s_entries = [Entry(0), Entry(0x8000_0001)];

    /// <summary>Whether the processor is AMD's, or Hygon's.</summary>
    internal static bool IsAmd { get; } = CpuidFeatures.Vendor(s_entries) == CpuVendor.Amd;

    /// <summary>A CPU that follows the processor's vendor, with all features.</summary>
    internal static CpuState CreateState() => new()
    {
        Vendor = CpuidFeatures.Vendor(s_entries),
        Features = ExecutorFeatures.All | CpuidFeatures.Read(s_entries) & ExecutorFeatures.MisalignedSse,
    };

    private static CpuidEntry Entry(uint function)
    {
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)function, 0);
        return new(function, 0, MatchIndex: false, (uint)eax, (uint)ebx, (uint)ecx, (uint)edx);
    }
}
