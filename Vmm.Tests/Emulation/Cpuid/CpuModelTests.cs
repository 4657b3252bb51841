// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuModelTests
{
    private const uint Cx16 = 1 << 13;
    private const uint Popcnt = 1 << 23;

    private static readonly CpuidEntry[] s_supported =
    [
        new(0, 0, MatchIndex: false, 1, 0, 0, 0),
        new(1, 0, MatchIndex: false, 0, 0, Cx16 | Popcnt, 1 << 8),
    ];

    [Test]
    public void Host_changes_nothing()
    {
        CpuResolution resolution = CpuModel.Host.Resolve(s_supported);

        resolution.Definition.Entries.Should().Equal(s_supported);
        resolution.Problems.Should().BeEmpty();
    }

    [Test]
    public void Minus_clears_one_bit()
    {
        CpuResolution resolution = Parse("host,-cx16").Resolve(s_supported);

        resolution.Definition.Entries.Should().Equal(s_supported[0], s_supported[1] with { Ecx = Popcnt });
    }

    [Test]
    public void Later_change_wins() =>
        Parse("host,-cx16,-popcnt,+cx16").Resolve(s_supported).Definition.Entries[1].Ecx.Should().Be(Cx16);

    [Test]
    public void Feature_that_the_host_lacks_is_named()
    {
        CpuResolution resolution = Parse("host,+movbe").Resolve(s_supported);

        resolution.Missing.Should().Equal("movbe");
        resolution.Problems.Should().ContainSingle().Which.Should().Contain("movbe (leaf 0x1 ECX bit 22)");
    }

    [TestCase("host,-cx16,+popcnt")]
    [TestCase("max")]
    [TestCase("pvm-friendly")]
    [TestCase("x86-64-v3,hypervisor=none,-avx2")]
    public void Model_is_written_as_it_is_read(string text) => Parse(text).ToString().Should().Be(text);

    [TestCase("", "no processor model is called ''")]
    [TestCase("hots", "did you mean 'host'?")]
    [TestCase("x86-64-v5", "did you mean 'x86-64-v1'?")]
    [TestCase("f.json", "cannot be a model here")]
    [TestCase("host,cx16", "'cx16' is not a feature with a sign")]
    [TestCase("host,", "'' is not a feature")]
    [TestCase("host,-", "'-' is not a feature")]
    [TestCase("host,-cx61", "did you mean 'cx16'?")]
    [TestCase("host,+ssbd", "the bits are spec_ctrl_ssbd, amd_ssbd, virt_ssbd")]
    [TestCase("host,-constant_tsc", "a word of Linux' own")]
    [TestCase("host,hypervisor=xen", "'xen' is not kvm, vmm or none")]
    public void Text_that_is_no_model_is_refused(string text, string problem)
    {
        CpuModel.TryParse(text, out CpuModel? model, out string? found).Should().BeFalse();

        model.Should().BeNull();
        found.Should().Contain(problem);
    }

    [Test]
    public void Level_is_the_same_on_every_host_of_a_vendor([Values(1, 2, 3, 4)] int level)
    {
        CpuDefinition first = Parse($"x86-64-v{level}").Resolve(Machines.Everything("GenuineIntel")).Definition;
        CpuidEntry[] other = [.. Machines.Everything("GenuineIntel").Select(entry => entry.Function is 1 or 6 ? entry with { Eax = 0x123 } : entry)];

        Parse($"x86-64-v{level}").Resolve(other).Definition.Entries.Should().Equal(first.Entries);
    }

    [TestCase("GenuineIntel")]
    [TestCase("AuthenticAMD")]
    public void Every_level_fits_a_host_with_everything(string vendor)
    {
        foreach (int level in (int[])[1, 2, 3, 4])
        {
            CpuResolution resolution = Parse($"x86-64-v{level}").Resolve(Machines.Everything(vendor));

            resolution.Problems.Should().BeEmpty();
            resolution.Messages.Should().BeEmpty();
            resolution.Definition.VendorName.Should().Be(vendor);
            resolution.Definition.BrandName.Should().Be($"x86-64-v{level} processor");
            CpuLevels.FeaturesOf(level).Except(resolution.Definition.Features).Should().BeEmpty();
            resolution.Definition.Features.Except(CpuLevels.FeaturesOf(level)).Where(name => !name.StartsWith("kvm_", StringComparison.Ordinal))
                .Should().BeEmpty();
        }
    }

    [Test]
    public void Amd_repeats_leaf_1_in_the_extended_leaf()
    {
        CpuDefinition definition = Parse("x86-64-v1").Resolve(Machines.Everything("AuthenticAMD")).Definition;

        definition.TryGet(1, 0, out CpuidEntry one);
        definition.TryGet(0x8000_0001, 0, out CpuidEntry extended);
        (extended.Edx & 0x0183_f3ff).Should().Be(one.Edx & 0x0183_f3ff).And.NotBe(0);
    }

    [Test]
    public void Pvm_friendly_has_nothing_that_the_interpreter_does_not_know()
    {
        CpuResolution resolution = Parse("pvm-friendly").Resolve(Machines.Everything("GenuineIntel"));

        resolution.Definition.Features.Should().NotContain(CpuModel.HotOnPvm).And.NotContain("avx").And.Contain("sse2");
        resolution.Problems.Should().BeEmpty();
        resolution.Definition.UserStates.Should().Be(0);
    }

    [Test]
    public void Max_adds_what_the_local_apic_can()
    {
        CpuidEntry[] supported = [new(0, 0, false, 1, 0, 0, 0), new(1, 0, false, 0, 0, 0, 1 << 9 | 1 << 4)];

        Parse("max").Resolve(supported).Definition.Features.Should().Contain("tsc_deadline_timer").And.Contain("x2apic");
    }

    [TestCase("host,-cx16")]
    [TestCase("max")]
    public void Leaf_for_xsave_stays_as_it_is_given_when_no_change_is_about_it(string text)
    {
        // As PVM gives it: the leaf is there, the feature is not.
        CpuidEntry leaf = new(0xd, 0, true, 7, 832, 832, 0);
        CpuidEntry[] supported = [.. s_supported, leaf];

        CpuResolution resolution = Parse(text).Resolve(supported);

        resolution.Definition.Entries.Should().Contain(leaf);
        resolution.Problems.Should().BeEmpty();
    }

    [Test]
    public void Guest_without_a_hypervisor_sees_none()
    {
        CpuDefinition definition = Parse("host,hypervisor=none").Resolve(Machines.Everything("GenuineIntel")).Definition;

        definition.Has("hypervisor").Should().BeFalse();
        definition.Entries.Should().NotContain(entry => entry.Function >> 28 == 4);
    }

    [Test]
    public void Own_hypervisor_leaf_has_a_name()
    {
        CpuDefinition definition = Parse("host,hypervisor=vmm").Resolve(Machines.Everything("GenuineIntel")).Definition;

        definition.TryGet(0x4000_0000, 0, out CpuidEntry leaf);
        uint[] words = [leaf.Ebx, leaf.Ecx, leaf.Edx];
        System.Text.Encoding.ASCII.GetString(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words.AsSpan())).Should().Be("Vmm engine\0\0");
        definition.Has("hypervisor").Should().BeTrue();
        definition.Has("kvm_clocksource").Should().BeFalse();
    }

    [Test]
    public void Refused_dependency_is_a_problem_and_repaired_one_a_message()
    {
        CpuModel model = Parse("host,-avx");

        CpuResolution refused = model.Resolve(Machines.Everything("GenuineIntel"), CpuDependencyPolicy.Refuse);
        CpuResolution repaired = model.Resolve(Machines.Everything("GenuineIntel"));

        refused.Problems.Should().ContainSingle().Which.Should().StartWith("avx cannot be turned off: ");
        refused.Definition.Has("avx").Should().BeTrue();
        repaired.Messages.Should().ContainSingle().Which.Should().StartWith("-avx also turns off ").And.Contain("avx2");
        repaired.Problems.Should().BeEmpty();
        repaired.Definition.Has("avx2").Should().BeFalse();
    }

    private static CpuModel Parse(string text)
    {
        CpuModel.TryParse(text, out CpuModel? model, out string? problem).Should().BeTrue(problem);
        return model!;
    }
}
