// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Emulation.Cpuid;

/// <content>Features and what they need.</content>
public sealed partial class CpuDefinition
{
    /// <summary>AMD's processors repeat leaf 1's EDX in leaf 0x80000001 (APM volume 3, appendix E).</summary>
    private const uint RepeatedByAmd = 0x0183_f3ff;

    /// <summary>The components of XCR0 and IA32_XSS that the features which are on have.</summary>
    public ulong StateComponents
    {
        get
        {
            ulong components = 0;
            foreach (CpuFeature feature in CpuFeatures.All)
            {
                components |= feature.State != 0 && Has(feature) ? feature.State : 0;
            }

            return components;
        }
    }

    /// <summary>Turns a feature on or off.</summary>
    /// <param name="feature">The feature.</param>
    /// <param name="enabled">Whether it is to be on.</param>
    /// <param name="policy">What happens to features that it needs, or that need it.</param>
    /// <param name="messages">Receives what else changed, or why the change is refused.</param>
    /// <returns>Whether it was done; when not, nothing has changed.</returns>
    public bool TrySet(in CpuFeature feature, bool enabled, CpuDependencyPolicy policy, ICollection<string> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        int number = CpuFeatures.NumberOf(feature.Name);
        List<int> others = enabled ? MissingNeedsOf(number) : DependentsOf(number);
        if (others.Count > 0)
        {
            string names = string.Join(", ", others.Select(other => CpuFeatures.All[other].Name));
            if (policy == CpuDependencyPolicy.Refuse)
            {
                messages.Add(enabled
                    ? $"{feature.Name} cannot be turned on: it needs {names}"
                    : $"{feature.Name} cannot be turned off: {names} need{(others.Count == 1 ? "s" : "")} it");
                return false;
            }

            messages.Add(enabled ? $"+{feature.Name} also turns on {names}" : $"-{feature.Name} also turns off {names}");
        }

        SetBit(feature, enabled);
        foreach (int other in others)
        {
            SetBit(CpuFeatures.All[other], enabled);
        }

        return true;
    }

    /// <summary>Turns a feature on or off.</summary>
    /// <param name="name">The feature's name.</param>
    /// <param name="enabled">Whether it is to be on.</param>
    /// <param name="policy">What happens to features that it needs, or that need it.</param>
    /// <param name="messages">Receives what else changed, or why the change is refused.</param>
    /// <returns>Whether it was done; when not, nothing has changed.</returns>
    public bool TrySet(string name, bool enabled, CpuDependencyPolicy policy, ICollection<string> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (CpuFeatures.TryFind(name, out CpuFeature feature))
        {
            return TrySet(feature, enabled, policy, messages);
        }

        messages.Add($"no processor feature is called '{name}'; did you mean '{CpuFeatures.Nearest(name)}'?");
        return false;
    }

    /// <summary>The features that are on without one that they need, in the table's order.</summary>
    /// <returns>The violations.</returns>
    public ImmutableArray<CpuViolation> FindViolations()
    {
        bool[] on = State();
        ImmutableArray<CpuViolation>.Builder found = ImmutableArray.CreateBuilder<CpuViolation>();
        for (int number = 0; number < on.Length; number++)
        {
            foreach (int need in CpuFeatures.NeedsOf(number))
            {
                if (on[number] && !on[need])
                {
                    found.Add(new CpuViolation(CpuFeatures.All[number], CpuFeatures.All[need]));
                }
            }
        }

        return found.ToImmutable();
    }

    /// <summary>Turns off what is on without a feature that it needs, until nothing is.</summary>
    /// <param name="messages">Receives what was turned off and why.</param>
    public void Repair(ICollection<string> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        for (ImmutableArray<CpuViolation> found = FindViolations(); !found.IsEmpty; found = FindViolations())
        {
            foreach (CpuViolation violation in found.DistinctBy(violation => violation.Feature.Name))
            {
                SetBit(violation.Feature, enabled: false);
                messages.Add($"{violation}: turned off");
            }
        }
    }

    /// <summary>Makes leaf 0x80000001 repeat leaf 1 where the vendor's processors do.</summary>
    internal void RepeatForAmd()
    {
        if (Vendor == CpuVendor.Amd && TryGet(1, 0, out var one) && TryGet(0x8000_0001, 0, out var extended))
        {
            Put(extended with { Edx = (extended.Edx & ~RepeatedByAmd) | (one.Edx & RepeatedByAmd) });
        }
    }

    private bool[] State() => [.. CpuFeatures.All.Select(feature => Has(feature))];

    private List<int> MissingNeedsOf(int number)
    {
        List<int> missing = [];
        Queue<int> open = new([number]);
        while (open.TryDequeue(out int current))
        {
            foreach (int need in CpuFeatures.NeedsOf(current))
            {
                if (!missing.Contains(need) && !Has(CpuFeatures.All[need]))
                {
                    missing.Add(need);
                    open.Enqueue(need);
                }
            }
        }

        return missing;
    }

    private List<int> DependentsOf(int number)
    {
        bool[] on = State();
        List<int> dependents = [];
        Queue<int> open = new([number]);
        while (open.TryDequeue(out int current))
        {
            for (int other = 0; other < on.Length; other++)
            {
                if (on[other] && other != number && !dependents.Contains(other) && CpuFeatures.NeedsOf(other).Contains(current))
                {
                    dependents.Add(other);
                    open.Enqueue(other);
                }
            }
        }

        return dependents;
    }
}
