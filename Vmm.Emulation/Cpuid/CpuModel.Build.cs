// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <content>From a base and changes to leaves.</content>
public sealed partial class CpuModel
{
    /// <summary>
    /// What PVM's interpreter of kernel-mode code does not know, or knows only by a detour: a kernel that sees these uses
    /// them in its hot paths. XSAVE takes everything from AVX on with it.
    /// </summary>
    internal static ImmutableArray<string> HotOnPvm { get; } =
    [
        "cx16", "popcnt", "xsave", "smap", "bmi1", "bmi2", "abm", "adx", "rdrand", "rdseed", "fsgsbase", "invpcid", "clwb",
        "pclmulqdq", "aes", "sse4_2", "sse4_1", "ssse3", "sha_ni", "gfni", "serialize", "waitpkg", "movdiri", "movdir64b", "rtm",
        "hle", "monitor", "wbnoinvd", "cldemote", "enqcmd", "user_shstk", "ibt", "clzero", "rdpru",
    ];

    private CpuDefinition Build(CpuDefinition host, CpuDependencyPolicy policy, List<string> messages, List<string> problems)
    {
        CpuDefinition definition = Profile switch
        {
            null => Start(host),
            { Leaves.IsEmpty: true } profile => profile.Model.Build(host, policy, messages, problems),
            { } profile => new CpuDefinition(profile.Leaves.AsSpan()),
        };
        (ulong, bool, bool) before = StateOf(definition);
        ImmutableArray<CpuFeatureChange> changes = Profile is { Leaves.IsEmpty: false } leaves
            ? [.. leaves.Model.Changes, .. Changes]
            : Changes;
        foreach (CpuFeatureChange change in changes)
        {
            List<string> said = [];
            bool isDone = definition.TrySet(change.Feature, change.Enabled, policy, said);
            (isDone ? messages : problems).AddRange(said);
        }

        if ((Hypervisor ?? Profile?.Model.Hypervisor) is { } hypervisor)
        {
            SetHypervisor(definition, host, hypervisor);
        }

        // What somebody wrote down leaf by leaf, and what the hypervisor gives, stays as it is as far as no change touches it.
        bool isGiven = Base is CpuModelBase.Host or CpuModelBase.Max or CpuModelBase.Profile;
        if (!isGiven || !changes.IsEmpty)
        {
            definition.RepeatForAmd();
        }

        if (!isGiven || StateOf(definition) != before)
        {
            definition.MakeXsaveConsistent(host);
        }

        return definition;
    }

    /// <summary>What leaf 0xD follows from.</summary>
    private static (ulong Components, bool HasXsave, bool HasXsaves) StateOf(CpuDefinition definition) =>
        (definition.StateComponents, definition.Has("xsave"), definition.Has("xsaves"));

    private CpuDefinition Start(CpuDefinition host)
    {
        CpuDefinition definition = new(host.Entries.AsSpan());
        List<string> expected = [];
        switch (Base)
        {
            case CpuModelBase.Max:
                foreach (string name in (ReadOnlySpan<string>)["x2apic", "tsc_deadline_timer"])
                {
                    _ = definition.Has("apic") && definition.TrySet(name, enabled: true, CpuDependencyPolicy.Refuse, expected);
                }

                return definition;
            case CpuModelBase.PvmFriendly:
                foreach (string name in HotOnPvm)
                {
                    definition.TrySet(name, enabled: false, CpuDependencyPolicy.Repair, expected);
                }

                return definition;
            case CpuModelBase.Level1 or CpuModelBase.Level2 or CpuModelBase.Level3 or CpuModelBase.Level4:
                return CpuLevels.Create(Base - CpuModelBase.Level1 + 1, host);
            default:
                return definition;
        }
    }

    private static void SetHypervisor(CpuDefinition definition, CpuDefinition host, HypervisorLeaves leaves)
    {
        const uint First = 0x4000_0000;
        const uint Last = 0x4fff_ffff;
        definition.Remove(First, Last);
        CpuFeatures.TryFind("hypervisor", out CpuFeature announced);
        definition.SetBit(announced, leaves != HypervisorLeaves.None);
        switch (leaves)
        {
            case HypervisorLeaves.Kvm:
                foreach (CpuidEntry entry in host.Entries.Where(entry => entry.Function is >= First and <= Last))
                {
                    definition.Put(entry);
                }

                break;
            case HypervisorLeaves.Vmm:
                // "Vmm engine", as the twelve letters of EBX, ECX and EDX.
                definition.Put(new CpuidEntry(First, 0, false, First, 0x206d_6d56, 0x6967_6e65, 0x0000_656e));
                break;
        }
    }
}
