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
    public void No_bit_has_two_names() =>
        CpuFeatures.All.Select(feature => feature with { Name = "" }).Should().OnlyHaveUniqueItems();

    [Test]
    public void Every_bit_is_one_of_32() =>
        CpuFeatures.All.Should().OnlyContain(feature => feature.Bit >= 0 && feature.Bit < 32);

    // Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E.
    [TestCase("cx16", 1u, 0u, CpuidRegister.Ecx, 13)]
    [TestCase("x2apic", 1u, 0u, CpuidRegister.Ecx, 21)]
    [TestCase("popcnt", 1u, 0u, CpuidRegister.Ecx, 23)]
    [TestCase("sse2", 1u, 0u, CpuidRegister.Edx, 26)]
    [TestCase("smap", 7u, 0u, CpuidRegister.Ebx, 20)]
    [TestCase("rdpid", 7u, 0u, CpuidRegister.Ecx, 22)]
    [TestCase("fsrm", 7u, 0u, CpuidRegister.Edx, 4)]
    [TestCase("avx_vnni", 7u, 1u, CpuidRegister.Eax, 4)]
    [TestCase("xsaves", 0xdu, 1u, CpuidRegister.Eax, 3)]
    [TestCase("nx", 0x8000_0001u, 0u, CpuidRegister.Edx, 20)]
    [TestCase("abm", 0x8000_0001u, 0u, CpuidRegister.Ecx, 5)]
    [TestCase("nonstop_tsc", 0x8000_0007u, 0u, CpuidRegister.Edx, 8)]
    [TestCase("clzero", 0x8000_0008u, 0u, CpuidRegister.Ebx, 0)]
    public void Feature_is_where_the_manual_says(string name, uint function, uint index, CpuidRegister register, int bit)
    {
        CpuFeatures.TryFind(name, out CpuFeature feature).Should().BeTrue();

        feature.Should().Be(new CpuFeature(name, function, index, register, bit));
    }

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
