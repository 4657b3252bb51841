// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuidLookupTests
{
    private static readonly CpuidEntry[] s_entries =
    [
        new(0, 0, false, 7, 1, 2, 3),
        new(4, 0, true, 40, 0, 0, 0),
        new(4, 1, true, 41, 0, 0, 0),
        new(7, 0, true, 70, 0, 0, 0),
        new(0x4000_0000, 0, false, 400, 0, 0, 0),
        new(0x8000_0000, 0, false, 800, 0, 0, 0),
        new(0x8000_0008, 0, false, 808, 0, 0, 0),
    ];

    [TestCase(0u, 5u, 7u, TestName = "Entry_without_an_index_answers_any")]
    [TestCase(4u, 1u, 41u, TestName = "Index_is_matched")]
    [TestCase(4u, 2u, 0u, TestName = "Missing_subleaf_of_a_leaf_is_zero")]
    [TestCase(5u, 0u, 0u, TestName = "Gap_within_the_range_is_zero")]
    [TestCase(8u, 0u, 70u, TestName = "Beyond_the_standard_range_the_last_standard_leaf_answers")]
    [TestCase(0x4000_0001u, 0u, 70u, TestName = "Beyond_the_hypervisor_range_too")]
    [TestCase(0x8000_0004u, 0u, 0u, TestName = "Gap_in_the_extended_range_is_zero")]
    [TestCase(0x8000_0009u, 0u, 70u, TestName = "Beyond_the_extended_range_too")]
    [TestCase(0x2000_0000u, 0u, 70u, TestName = "Range_of_its_own_too")]
    public void Intel_falls_back(uint function, uint index, uint eax)
    {
        CpuidLookup lookup = new(CpuidConfiguration.Create(CpuidFlags.IntelFallback, s_entries));

        CpuidEntry answer = lookup.Query(function, index);

        answer.Eax.Should().Be(eax);
        (answer.Function, answer.Index).Should().Be((function, index));
    }

    [TestCase(8u)]
    [TestCase(0x8000_0009u)]
    [TestCase(0x4000_0001u)]
    public void Without_fallback_there_are_zeros(uint function) =>
        new CpuidLookup(CpuidConfiguration.Create(CpuidFlags.None, s_entries)).Query(function, 0).Eax.Should().Be(0);

    [Test]
    public void Fallback_without_a_standard_leaf_is_zero() =>
        new CpuidLookup(CpuidConfiguration.Create(CpuidFlags.IntelFallback, [new CpuidEntry(0x8000_0000, 0, false, 1, 1, 1, 1)]))
            .Query(0x8000_0001, 0).Eax.Should().Be(0);

    [Test]
    public void No_entries_are_all_zeros() =>
        new CpuidLookup(CpuidConfiguration.Create(CpuidFlags.IntelFallback, [])).Query(0, 0).Eax.Should().Be(0);

    [Test]
    public void Random_configurations_answer_as_the_walk_does([Range(1, 60)] int seed)
    {
        Random random = new(seed);
        uint[] functions = [0, 1, 2, 4, 7, 0xb, 0xd, 0x4000_0000, 0x4000_0001, 0x8000_0000, 0x8000_0001, 0x8000_0008, 0xffff_ffff];
        CpuidEntry[] entries = new CpuidEntry[random.Next(seed == 1 ? 257 : 24)];
        for (int number = 0; number < entries.Length; number++)
        {
            entries[number] = new CpuidEntry(
                functions[random.Next(functions.Length)], (uint)random.Next(4), random.Next(3) > 0, (uint)number + 1, 0, 0, 0);
        }

        if (random.Next(2) == 0)
        {
            Array.Sort(entries, (left, right) => (left.Function, left.Index).CompareTo((right.Function, right.Index)));
        }

        CpuidFlags flags = random.Next(2) == 0 ? CpuidFlags.None : CpuidFlags.IntelFallback;
        CpuidLookup lookup = new(CpuidConfiguration.Create(flags, entries));
        foreach (uint function in functions.SelectMany(function => (uint[])[function, function + 1, function - 1]))
        {
            for (uint index = 0; index < 5; index++)
            {
                lookup.Query(function, index).Eax.Should().Be(Walk(entries, flags, function, index), $"of {function:x}.{index}");
            }
        }
    }

    [Test]
    public void Lookup_allocates_nothing()
    {
        CpuidLookup lookup = new(CpuidConfiguration.Create(CpuidFlags.IntelFallback, s_entries));
        uint sum = lookup.Query(4, 1).Eax;

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint function = 0; function < 100; function++)
        {
            sum += lookup.Query(function, function).Eax;
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        sum.Should().BePositive();
    }

    /// <summary>The rule, entry by entry.</summary>
    private static uint Walk(CpuidEntry[] entries, CpuidFlags flags, uint function, uint index)
    {
        bool exists = false;
        uint last = 0;
        foreach (CpuidEntry entry in entries)
        {
            if (entry.Function == function && (entry.Index == index || !entry.MatchIndex))
            {
                return entry.Eax;
            }

            exists |= entry.Function == function;
            if (entry.Function > function)
            {
                if (entry.Function >> 28 == function >> 28)
                {
                    return 0;
                }

                break;
            }

            last = entry.Function >> 28 == 0 ? entry.Eax : last;
        }

        return exists || flags == CpuidFlags.None ? 0 : last;
    }
}
