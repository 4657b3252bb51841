// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// The processor that a guest is to see: a base, less and plus features by name, such as <c>host,-cx16,+x2apic</c>.
/// Immutable. It becomes concrete by <see cref="Resolve"/>, for one host.
/// </summary>
public sealed partial class CpuModel
{
    private CpuModel(CpuModelBase start, CpuProfile? profile, HypervisorLeaves? hypervisor, ImmutableArray<CpuFeatureChange> changes, string name)
    {
        Base = start;
        Profile = profile;
        Hypervisor = hypervisor;
        Changes = changes;
        Name = name;
    }

    /// <summary>Everything the hypervisor can give.</summary>
    public static CpuModel Host { get; } = new(CpuModelBase.Host, null, null, [], HostName);

    /// <summary>What the model starts from.</summary>
    public CpuModelBase Base { get; }

    /// <summary>The base as it was written: a name, or a profile's file.</summary>
    public string Name { get; }

    /// <summary>The profile, when the base is one.</summary>
    public CpuProfile? Profile { get; }

    /// <summary>The hypervisor leaves that were asked for; null for the base's.</summary>
    public HypervisorLeaves? Hypervisor { get; }

    /// <summary>The features that are turned off and on, in the order in which they were written; later ones win.</summary>
    public ImmutableArray<CpuFeatureChange> Changes { get; }

    /// <summary>Whether the model is what the hypervisor gives anyway.</summary>
    public bool IsPlainHost => Base == CpuModelBase.Host && Changes.IsEmpty && Hypervisor is null or HypervisorLeaves.Kvm;

    /// <summary>Makes the model concrete.</summary>
    /// <param name="supported">What the hypervisor can give on this host.</param>
    /// <param name="policy">What happens to features that a change leaves without one that they need.</param>
    /// <returns>The processor, what was changed besides, and what this host lacks.</returns>
    public CpuResolution Resolve(ReadOnlySpan<CpuidEntry> supported, CpuDependencyPolicy policy = CpuDependencyPolicy.Repair)
    {
        CpuDefinition host = new(supported);
        List<string> messages = [];
        List<string> problems = [];
        CpuDefinition definition = Build(host, policy, messages, problems);
        problems.AddRange(CpuFit.FindProblems(definition, host));
        ImmutableArray<string> missing = [.. CpuFit.FindMissing(definition, host).Select(feature => feature.Name)];
        return new CpuResolution(definition, Profile?.Msrs ?? [], [.. messages], [.. problems], missing);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Concat(
        [
            Name,
            .. Hypervisor is { } leaves ? [$",{HypervisorPrefix}{leaves.ToString().ToLowerInvariant()}"] : Array.Empty<string>(),
            .. Changes.Select(change => $",{(change.Enabled ? '+' : '-')}{change.Feature.Name}"),
        ]);
}
