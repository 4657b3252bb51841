// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Tests.Emulation.Cpuid;

/// <summary>The tables against what the manuals say, line by line.</summary>
public sealed class CpuidCaseTests
{
    private static readonly string s_cases = Path.Combine(AppContext.BaseDirectory, "Data", "cpuid-cases.txt");

    public static IEnumerable<TestCaseData> Cases(string kind) =>
        File.ReadLines(s_cases)
            .Select(line => line.Split(';', StringSplitOptions.TrimEntries))
            .Where(columns => columns[0] == kind)
            .Select(columns => new TestCaseData((object)columns[1..]).SetName($"Cpuid_{string.Join('_', columns)}"));

    [TestCaseSource(nameof(Cases), new object[] { "bit" })]
    public void Feature_is_where_the_manual_says(string[] columns)
    {
        CpuFeature feature = Find(columns[0]);

        feature.Function.Should().Be(Hex(columns[1]));
        feature.Index.Should().Be(Hex(columns[2]));
        feature.Register.ToString().ToUpperInvariant().Should().Be(columns[3]);
        feature.Bit.Should().Be(int.Parse(columns[4], CultureInfo.InvariantCulture));
    }

    [TestCaseSource(nameof(Cases), new object[] { "level" })]
    public void Feature_comes_with_its_level(string[] columns)
    {
        int level = int.Parse(columns[1], CultureInfo.InvariantCulture);

        CpuLevels.FeaturesOf(level).Should().Contain(columns[0]);
        CpuLevels.FeaturesOf(level - 1).Should().NotContain(columns[0]);
    }

    [TestCaseSource(nameof(Cases), new object[] { "needs" })]
    public void Feature_needs_another(string[] columns) => Find(columns[0]).Needs.Split(' ').Should().Contain(columns[1]);

    [TestCaseSource(nameof(Cases), new object[] { "state" })]
    public void Feature_has_its_components(string[] columns) => Find(columns[0]).State.Should().Be(Hex(columns[1]));

    [TestCaseSource(nameof(Cases), new object[] { "thread" })]
    public void Leaf_of_an_amd_processor_is_its_threads(string[] columns)
    {
        uint[] counts = [.. columns[0].Split(' ').Select(Hex)];
        CpuTopology topology = new(2, (ushort)counts[0], (ushort)counts[1]);
        CpuidEntry[] processor =
        [
            new(0, 0, false, 1, 0x68747541, 0x444d4163, 0x69746e65),
            new(0x8000_0001, 0, false, 0, 0, 0, 0),
            new(0x8000_0008, 0, false, 0x3030, 0, 0, 0),
            new(0x8000_001d, 0, true, 0x121, 0, 0, 0),
            new(0x8000_001e, 0, false, 0, 0, 0, 0),
        ];

        uint apicId = VcpuLeaves.ApicId((int)Hex(columns[1]), topology);
        CpuidEntry found = VcpuLeaves.Adapt(processor, apicId, topology).Single(entry => entry.Function == Hex(columns[2]));

        found.Get(Enum.Parse<CpuidRegister>(columns[3], ignoreCase: true)).Should().Be(Hex(columns[4]));
    }

    [TestCaseSource(nameof(Cases), new object[] { "register" })]
    public void Register_is_where_amds_manual_says(string[] columns)
    {
        MsrRegistry.TryFind(columns[0], out MsrDescription description).Should().BeTrue();

        description.Number.Should().Be(Hex(columns[1]));
        description.Vendor.Should().Be(CpuVendor.Amd);
    }

    private static CpuFeature Find(string name)
    {
        CpuFeatures.TryFind(name, out CpuFeature feature).Should().BeTrue();
        return feature;
    }

    private static uint Hex(string text) => uint.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
