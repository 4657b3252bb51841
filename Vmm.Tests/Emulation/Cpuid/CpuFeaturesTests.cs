// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuFeaturesTests
{
    [Test]
    public void No_name_is_there_twice() =>
        CpuFeatures.All.Select(feature => feature.Name).Should().OnlyHaveUniqueItems();

    [Test]
    public void Every_bit_is_one_of_32() =>
        CpuFeatures.All.Should().OnlyContain(feature => feature.Bit >= 0 && feature.Bit < 32);

    [Test]
    public void No_bit_is_there_twice() =>
        CpuFeatures.All.Select(feature => (feature.Function, feature.Index, feature.Register, feature.Bit)).Should().OnlyHaveUniqueItems();

    [Test]
    public void Everything_that_is_needed_exists() =>
        CpuFeatures.All.SelectMany(feature => feature.Needs.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Should().OnlyContain(name => CpuFeatures.All.Any(feature => feature.Name == name));

    [Test]
    public void Nothing_needs_itself_by_a_detour()
    {
        int count = CpuFeatures.All.Length;
        bool[] isSound = new bool[count];
        for (int round = 0; round < count; round++)
        {
            for (int number = 0; number < count; number++)
            {
                isSound[number] |= CpuFeatures.NeedsOf(number).All(need => isSound[need]);
            }
        }

        CpuFeatures.All.Where((_, number) => !isSound[number]).Select(feature => feature.Name).Should().BeEmpty();
    }

    [Test]
    public void Words_of_the_kernel_are_no_features_and_name_features() =>
        CpuinfoWords.All.Should().OnlyContain(word =>
            !CpuFeatures.All.Any(feature => feature.Name == word.Name)
            && word.Sources.All(source => CpuFeatures.All.Any(feature => feature.Name == source)));

    [TestCase("cx61", "cx16")]
    [TestCase("x2apc", "x2apic")]
    [TestCase("SMAP", "smap")]
    [TestCase("popcount", "popcnt")]
    public void Nearest_name_is_found(string written, string nearest) => CpuFeatures.Nearest(written).Should().Be(nearest);

    [Test]
    public void A_name_of_any_length_has_a_nearest_one() =>
        CpuFeatures.Nearest(new string('a', 1 << 20)).Should().NotBeEmpty();

    [Test]
    public void Subleaf_matters_where_the_entry_says_so()
    {
        CpuidEntry first = new(0xd, 0, MatchIndex: true, uint.MaxValue, 0, 0, 0);
        CpuidEntry second = new(0xd, 1, MatchIndex: true, 0b1000, 0, 0, 0);
        CpuFeatures.TryFind("xsaves", out CpuFeature feature);

        feature.IsIn(first).Should().BeFalse();
        feature.IsIn(second).Should().BeTrue();
        feature.IsSet(second).Should().BeTrue();
    }
}
