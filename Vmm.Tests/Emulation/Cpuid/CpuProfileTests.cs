// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuProfileTests
{
    [Test]
    public void Leaves_and_registers_survive_json()
    {
        CpuProfile profile = new()
        {
            Name = "server",
            Description = "what all of them have",
            Leaves = [.. Machines.Everything("GenuineIntel")],
            Msrs = [new MsrEntry(new MsrIndex(0x10a), 0x2b), new MsrEntry(new MsrIndex(0x12345), ulong.MaxValue)],
        };

        CpuProfile back = Parse(profile.ToJson());

        back.Leaves.Should().Equal(profile.Leaves);
        back.Msrs.Should().Equal(profile.Msrs);
        (back.Name, back.Description).Should().Be((profile.Name, profile.Description));
    }

    [Test]
    public void Base_and_changes_survive_json()
    {
        CpuProfile profile = Parse("""{ "base": "x86-64-v2", "hypervisor": "vmm", "features": ["-cx16", "+umip"] }""");

        Parse(profile.ToJson()).Model.ToString().Should().Be("x86-64-v2,hypervisor=vmm,-cx16,+umip");
    }

    [Test]
    public void Random_profiles_survive_json([Range(1, 20)] int seed)
    {
        Random random = new(seed);
        CpuProfile profile = new()
        {
            Leaves =
            [
                .. Enumerable.Range(0, random.Next(1, 60)).Select(number => new CpuidEntry(
                    (uint)number, (uint)random.Next(2), true, (uint)random.NextInt64(), (uint)random.NextInt64(), (uint)random.NextInt64(), (uint)random.NextInt64())),
            ],
        };

        Parse(profile.ToJson()).Leaves.Should().Equal(profile.Leaves);
    }

    [TestCase("", "line 1")]
    [TestCase("null", "it is null")]
    [TestCase("[]", "it is not JSON of a profile: line 1")]
    [TestCase("{}", "it has neither 'base' nor 'leaves'")]
    [TestCase("""{ "base": "host", "leaves": [] }""", "it has both")]
    [TestCase("""{ "base": "host", "featurs": [] }""", "there is no member 'featurs'; did you mean 'features'?")]
    [TestCase("""{ "base": "host", "features": ["-cx61"] }""", "did you mean 'cx16'?")]
    [TestCase("""{ "base": "host", "features": ["-cx16,-avx"] }""", "is not one base or feature")]
    [TestCase("""{ "base": "hots" }""", "did you mean 'host'?")]
    [TestCase("""{ "base": "other.json" }""", "cannot be a model here")]
    [TestCase("""{ "base": 1 }""", "line 1, byte 12 at $.base")]
    [TestCase("""{ "leaves": [{ "function": "0x1" }] }""", "leaves[0]: eax: it is missing")]
    [TestCase("""{ "leaves": [{ "function": "1", "eax": "0x0", "ebx": "0x0", "ecx": "0x0", "edx": "0x0" }] }""", "leaves[0]: function: '1' is not a number")]
    [TestCase("""{ "leaves": [{ "function": "0x100000000", "eax": "0x0", "ebx": "0x0", "ecx": "0x0", "edx": "0x0" }] }""", "is not a number")]
    [TestCase("""{ "leaves": [null] }""", "leaves[0]: it is null")]
    [TestCase("""{ "base": "host", "msrs": [{ "register": "IA32_PTA", "value": "0x0" }] }""", "did you mean 'IA32_PAT'?")]
    public void Text_that_is_no_profile_is_refused_with_the_place(string json, string problem)
    {
        CpuProfile.TryParse(json, out CpuProfile? profile, out string? found).Should().BeFalse();

        profile.Should().BeNull();
        found.Should().Contain(problem);
    }

    [Test]
    public void Leaf_that_is_there_twice_is_refused()
    {
        const string Leaf = """{ "function": "0x1", "eax": "0x0", "ebx": "0x0", "ecx": "0x0", "edx": "0x0" }""";

        CpuProfile.TryParse($$"""{ "leaves": [{{Leaf}}, {{Leaf}}] }""", out _, out string? problem).Should().BeFalse();

        problem.Should().Be("leaves[1]: the leaf 0x1 is there already");
    }

    [Test]
    public void Model_of_a_profile_has_its_leaves_and_the_changes_after_it()
    {
        string json = new CpuProfile { Leaves = [.. Machines.Everything("GenuineIntel")] }.ToJson();
        CpuModel.TryParse("p.json,-popcnt", _ => json, out CpuModel? model, out string? problem).Should().BeTrue(problem);

        CpuResolution resolution = model!.Resolve(Machines.Everything("GenuineIntel"));

        resolution.Definition.Has("popcnt").Should().BeFalse();
        resolution.Definition.Has("avx2").Should().BeTrue();
        resolution.Problems.Should().BeEmpty();
    }

    [Test]
    public void Profile_for_another_vendor_and_wider_addresses_does_not_fit()
    {
        CpuidEntry[] wide = [.. Machines.Everything("AuthenticAMD").Select(entry => entry.Function == 0x8000_0008 ? entry with { Eax = 52 | 48 << 8 } : entry)];
        string json = new CpuProfile { Leaves = [.. wide] }.ToJson();
        CpuModel.TryParse("p.json", _ => json, out CpuModel? model, out _);

        CpuResolution resolution = model!.Resolve(Machines.Everything("GenuineIntel"));

        resolution.Problems.Should().Contain(problem => problem.Contains("vendor 'AuthenticAMD'"))
            .And.Contain("its physical addresses have 52 bits, those of this host 46");
    }

    [Test]
    public void Profile_that_contradicts_itself_does_not_fit()
    {
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        CpuFeatures.TryFind("avx", out CpuFeature avx);
        definition.SetBit(avx, enabled: false);
        string json = new CpuProfile { Leaves = definition.Entries }.ToJson();
        CpuModel.TryParse("p.json", _ => json, out CpuModel? model, out _);

        model!.Resolve(Machines.Everything("GenuineIntel")).Problems.Should()
            .Contain("avx2 needs avx, which is off")
            .And.Contain("XCR0 can enable component 2, but no feature that is on has it");
    }

    [Test]
    public void Bit_without_a_name_that_the_host_lacks_is_found()
    {
        CpuidEntry[] entries = [.. Machines.Everything("GenuineIntel").Select(entry => entry.Function == 1 ? entry with { Edx = entry.Edx | 1 << 10 } : entry)];
        string json = new CpuProfile { Leaves = [.. entries] }.ToJson();
        CpuModel.TryParse("p.json", _ => json, out CpuModel? model, out _);

        model!.Resolve(Machines.Everything("GenuineIntel")).Problems.Should().ContainSingle().Which.Should().StartWith("leaf 0x1 EDX bit 10 has no name");
    }

    [Test]
    public void Schema_knows_the_members_that_profiles_have()
    {
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllText(RepositoryFiles.PathOf("docs/cpu-profile.schema.json")));
        using JsonDocument written = JsonDocument.Parse(new CpuProfile
        {
            Name = "n",
            Description = "d",
            Leaves = [new CpuidEntry(1, 2, true, 3, 4, 5, 6)],
            Msrs = [new MsrEntry(new MsrIndex(0x277), 0)],
        }.ToJson());
        JsonElement properties = schema.RootElement.GetProperty("properties");

        Members(written.RootElement).Should().BeSubsetOf(Members(properties));
        Members(properties).Should().BeEquivalentTo("$schema", "name", "description", "base", "features", "hypervisor", "leaves", "msrs");
        Members(written.RootElement.GetProperty("leaves")[0])
            .Should().BeEquivalentTo(Members(properties.GetProperty("leaves").GetProperty("items").GetProperty("properties")));
        Members(written.RootElement.GetProperty("msrs")[0])
            .Should().BeEquivalentTo(Members(properties.GetProperty("msrs").GetProperty("items").GetProperty("properties")));
    }

    private static IEnumerable<string> Members(JsonElement element) => element.EnumerateObject().Select(member => member.Name);

    private static CpuProfile Parse(string json)
    {
        CpuProfile.TryParse(json, out CpuProfile? profile, out string? problem).Should().BeTrue(problem);
        return profile!;
    }
}
