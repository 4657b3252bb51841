// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Msr;

/// <summary>What a vCPU's registers depend on.</summary>
public sealed record MsrFileOptions
{
    /// <summary>The most banks of machine check.</summary>
    public const int MaximumBanks = 32;

    /// <summary>The vCPU's processor: which registers exist, and how wide addresses are. Null: all exist, of either vendor.</summary>
    public CpuDefinition? Definition { get; init; }

    /// <summary>Whether the registers that a hypervisor would serve are served too, for a processor in software.</summary>
    public bool ServesHypervisorLayer { get; init; }

    /// <summary>The rate of the host's TSC in Hz; shown as a ratio to 100 MHz.</summary>
    public ulong TscFrequency { get; init; }

    /// <summary>The host's IA32_MISC_ENABLE; 1 when it is not known: quick strings.</summary>
    public ulong HostMiscEnable { get; init; } = 1;

    /// <summary>Whether LFENCE orders execution (DE_CFG, bit 1).</summary>
    public bool IsLfenceSerializing { get; init; } = true;

    /// <summary>The banks of machine check, 0 to 32. Without any, MCG_CAP and MCG_STATUS read zero and ignore writes.</summary>
    public int MachineCheckBanks { get; init; }

    /// <summary>Values that registers have from the start, in place of their reset values.</summary>
    public ImmutableArray<MsrEntry> Initial { get; init; } = [];
}
