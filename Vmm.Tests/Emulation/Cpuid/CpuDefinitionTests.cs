// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuDefinitionTests
{
    private readonly List<string> _messages = [];

    [SetUp]
    public void Forget() => _messages.Clear();

    [Test]
    public void Every_feature_can_be_set_found_and_cleared_by_name()
    {
        foreach (CpuFeature feature in CpuFeatures.All)
        {
            CpuDefinition definition = new([]);

            definition.TrySet(feature.Name, true, CpuDependencyPolicy.Repair, _messages).Should().BeTrue();
            definition.Has(feature.Name).Should().BeTrue();
            definition.FindViolations().Should().BeEmpty();
            definition.TrySet(feature.Name, false, CpuDependencyPolicy.Repair, _messages).Should().BeTrue();
            definition.Has(feature.Name).Should().BeFalse();
        }
    }

    [Test]
    public void Avx2_without_avx_is_refused()
    {
        CpuDefinition definition = new([]);

        definition.TrySet("avx2", true, CpuDependencyPolicy.Refuse, _messages).Should().BeFalse();

        _messages.Should().ContainSingle().Which.Should().StartWith("avx2 cannot be turned on: it needs avx");
        definition.Features.Should().BeEmpty();
    }

    [Test]
    public void Avx_without_xsave_is_repaired()
    {
        CpuDefinition definition = new([]);

        definition.TrySet("avx", true, CpuDependencyPolicy.Repair, _messages).Should().BeTrue();

        definition.Features.Should().Contain("xsave").And.Contain("sse2");
        _messages.Should().ContainSingle().Which.Should().StartWith("+avx also turns on ");
    }

    [Test]
    public void What_depends_on_a_feature_goes_with_it()
    {
        CpuDefinition definition = new([]);
        definition.TrySet("avx512vl", true, CpuDependencyPolicy.Repair, _messages);

        definition.TrySet("xsave", false, CpuDependencyPolicy.Refuse, _messages).Should().BeFalse();
        definition.TrySet("xsave", false, CpuDependencyPolicy.Repair, _messages).Should().BeTrue();

        definition.Features.Should().NotContain(name => name.StartsWith("avx", StringComparison.Ordinal));
        definition.Has("sse2").Should().BeTrue();
    }

    [Test]
    public void Violations_are_found_and_repaired()
    {
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        CpuFeatures.TryFind("avx", out CpuFeature avx);
        definition.SetBit(avx, enabled: false);

        definition.FindViolations().Select(violation => violation.ToString()).Should().Contain("avx2 needs avx, which is off");
        definition.Repair(_messages);

        definition.FindViolations().Should().BeEmpty();
        definition.Has("avx512vl").Should().BeFalse();
    }

    [Test]
    public void Unknown_name_suggests_the_nearest()
    {
        new CpuDefinition([]).TrySet("avx22", true, CpuDependencyPolicy.Repair, _messages).Should().BeFalse();

        _messages.Should().ContainSingle().Which.Should().Contain("did you mean 'avx2'?");
    }

    [Test]
    public void Leaf_beyond_the_greatest_one_raises_it()
    {
        CpuDefinition definition = new([]);
        definition.TrySet("bhi_ctrl", true, CpuDependencyPolicy.Repair, _messages);
        definition.TrySet("lfence_rdtsc", true, CpuDependencyPolicy.Repair, _messages);

        definition.TryGet(0, 0, out CpuidEntry standard).Should().BeTrue();
        definition.TryGet(7, 0, out CpuidEntry structured).Should().BeTrue();
        definition.TryGet(0x8000_0000, 0, out CpuidEntry extended).Should().BeTrue();
        (standard.Eax, structured.Eax, extended.Eax).Should().Be((7, 2, 0x8000_0021));
    }

    [Test]
    public void Xsave_describes_exactly_what_is_on()
    {
        CpuDefinition host = new(Machines.Everything("GenuineIntel"));
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        definition.TrySet("avx512f", false, CpuDependencyPolicy.Repair, _messages);
        definition.TrySet("amx_tile", false, CpuDependencyPolicy.Repair, _messages);
        definition.TrySet("lwp", false, CpuDependencyPolicy.Repair, _messages);
        definition.TrySet("apx_f", false, CpuDependencyPolicy.Repair, _messages);

        definition.MakeXsaveConsistent(host);

        definition.UserStates.Should().Be(0x21f, "x87, SSE, AVX, both of MPX and PKRU are left");
        definition.TryGet(0xd, 0, out CpuidEntry zero);
        zero.Ecx.Should().Be(2696, "PKRU lies at 2688 and has eight bytes");
        definition.FindXsaveContradictions().Should().BeEmpty();
    }

    [Test]
    public void Without_xsave_there_is_no_leaf_for_it()
    {
        CpuDefinition host = new(Machines.Everything("GenuineIntel"));
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        definition.TrySet("xsave", false, CpuDependencyPolicy.Repair, _messages);

        definition.MakeXsaveConsistent(host);

        definition.Entries.Should().NotContain(entry => entry.Function == 0xd);
        definition.FindXsaveContradictions().Should().BeEmpty();
    }

    [Test]
    public void Random_changes_never_leave_a_contradiction([Range(1, 40)] int seed)
    {
        Random random = new(seed);
        CpuDefinition host = new(Machines.Everything(seed % 2 == 0 ? "GenuineIntel" : "AuthenticAMD"));
        CpuDefinition definition = new(random.Next(2) == 0 ? [] : host.Entries.AsSpan());
        for (int change = 0; change < 60; change++)
        {
            CpuFeature feature = CpuFeatures.All[random.Next(CpuFeatures.All.Length)];
            bool enabled = random.Next(2) == 0;
            CpuDependencyPolicy policy = (CpuDependencyPolicy)random.Next(2);

            bool isDone = definition.TrySet(feature, enabled, policy, _messages);

            (definition.Has(feature) == enabled || !isDone).Should().BeTrue();
            definition.FindViolations().Should().BeEmpty();
        }

        definition.MakeXsaveConsistent(host);

        definition.FindXsaveContradictions().Should().BeEmpty();
        definition.Entries.Select(entry => (entry.Function, entry.Index)).Should().OnlyHaveUniqueItems().And.BeInAscendingOrder();
        definition.TryGet(0, 0, out CpuidEntry head);
        definition.Entries.Where(entry => entry.Function >> 28 == 0).Should().OnlyContain(entry => entry.Function <= Math.Max(head.Eax, 0xd));
    }

    [TestCase(0x00050657u, 6u, 85u, 7u)]
    [TestCase(0x00a10f11u, 25u, 17u, 1u)]
    [TestCase(0x00000f4au, 15u, 4u, 10u)]
    public void Signature_is_decoded_as_linux_shows_it(uint eax, uint family, uint model, uint stepping) =>
        new CpuDefinition([new CpuidEntry(1, 0, false, eax, 0, 0, 0)]).Signature.Should().Be((family, model, stepping));

    [Test]
    public void First_of_two_entries_for_a_query_counts()
    {
        CpuDefinition definition = new([new CpuidEntry(5, 0, false, 1, 0, 0, 0), new CpuidEntry(5, 7, true, 2, 0, 0, 0)]);

        definition.Entries.Should().ContainSingle().Which.Eax.Should().Be(1);
    }
}
