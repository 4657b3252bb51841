// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>What differs between two processors.</summary>
/// <param name="OnlyInFirst">The features that only the first has.</param>
/// <param name="OnlyInSecond">The features that only the second has.</param>
/// <param name="Others">What else differs: identity, sizes, leaves.</param>
public sealed record CpuComparison(
    ImmutableArray<string> OnlyInFirst, ImmutableArray<string> OnlyInSecond, ImmutableArray<CpuDifference> Others)
{
    /// <summary>Whether nothing differs.</summary>
    public bool IsSame => OnlyInFirst.IsEmpty && OnlyInSecond.IsEmpty && Others.IsEmpty;

    /// <summary>Compares two processors.</summary>
    /// <param name="first">One.</param>
    /// <param name="second">The other.</param>
    /// <returns>What differs.</returns>
    public static CpuComparison Of(CpuDefinition first, CpuDefinition second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ImmutableArray<string> mine = first.Features;
        ImmutableArray<string> theirs = second.Features;
        List<CpuDifference> others = [];
        Add("vendor", first.VendorName, second.VendorName);
        Add("name", first.BrandName, second.BrandName);
        Add("family, model, stepping", Signature(first), Signature(second));
        Add("physical address bits", $"{first.PhysicalAddressBits}", $"{second.PhysicalAddressBits}");
        Add("state that XCR0 enables", $"0x{first.UserStates:x}", $"0x{second.UserStates:x}");
        Add("state that IA32_XSS enables", $"0x{first.SupervisorStates:x}", $"0x{second.SupervisorStates:x}");
        AddLeaves(others, first, second);
        return new CpuComparison([.. mine.Except(theirs)], [.. theirs.Except(mine)], [.. others]);

        void Add(string what, string left, string right)
        {
            if (left != right)
            {
                others.Add(new CpuDifference(what, left, right));
            }
        }
    }

    private static string Signature(CpuDefinition definition)
    {
        (uint family, uint model, uint stepping) = definition.Signature;
        return $"{family}, {model}, {stepping}";
    }

    /// <summary>Leaves whose difference is neither that of named features nor one of identity.</summary>
    private static void AddLeaves(List<CpuDifference> others, CpuDefinition first, CpuDefinition second)
    {
        IEnumerable<(uint Function, uint Index)> places = first.Entries.Concat(second.Entries)
            .Select(entry => (entry.Function, entry.Index)).Distinct().Order();
        foreach ((uint function, uint index) in places)
        {
            if (function is 0xd or (>= 0x8000_0002 and <= 0x8000_0004))
            {
                continue;
            }

            first.TryGet(function, index, out CpuidEntry left);
            second.TryGet(function, index, out CpuidEntry right);
            foreach (CpuidRegister register in Enum.GetValues<CpuidRegister>())
            {
                uint ignored = Ignored(function, index, register);
                if ((left.Get(register) & ~ignored) != (right.Get(register) & ~ignored))
                {
                    string name = $"leaf 0x{function:x}{(CpuidEntryExtensions.HasSubleaves(function) ? $".{index}" : "")} {register.ToString().ToUpperInvariant()}";
                    others.Add(new CpuDifference(name, $"0x{left.Get(register):x8}", $"0x{right.Get(register):x8}"));
                }
            }
        }
    }

    private static uint Ignored(uint function, uint index, CpuidRegister register)
    {
        uint mask = (function, register) switch
        {
            (0, CpuidRegister.Ebx or CpuidRegister.Ecx or CpuidRegister.Edx) => uint.MaxValue,
            (1, CpuidRegister.Eax) => uint.MaxValue,
            (0x8000_0008, CpuidRegister.Eax) => 0xff,
            _ => 0,
        };
        foreach (CpuFeature feature in CpuFeatures.All)
        {
            mask |= feature.Function == function && feature.Index == index && feature.Register == register ? feature.Mask : 0;
        }

        return mask;
    }
}
