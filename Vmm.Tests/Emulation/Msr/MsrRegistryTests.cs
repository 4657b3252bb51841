// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Tests.Emulation.Msr;

public sealed class MsrRegistryTests
{
    // Intel SDM volume 4; AMD APM volume 2, appendix A; the kernel's documentation of KVM's registers.
    [TestCase(0x10u, "IA32_TSC", MsrLayer.Ours)]
    [TestCase(0x1bu, "IA32_APIC_BASE", MsrLayer.Chip)]
    [TestCase(0x3bu, "IA32_TSC_ADJUST", MsrLayer.Ours)]
    [TestCase(0x48u, "IA32_SPEC_CTRL", MsrLayer.Hypervisor)]
    [TestCase(0xceu, "MSR_PLATFORM_INFO", MsrLayer.Ours)]
    [TestCase(0x10au, "IA32_ARCH_CAPABILITIES", MsrLayer.Hypervisor)]
    [TestCase(0x1a0u, "IA32_MISC_ENABLE", MsrLayer.Ours)]
    [TestCase(0x213u, "IA32_MTRR_PHYSMASK9", MsrLayer.Ours)]
    [TestCase(0x26fu, "IA32_MTRR_FIX4K_F8000", MsrLayer.Ours)]
    [TestCase(0x277u, "IA32_PAT", MsrLayer.Ours)]
    [TestCase(0x47fu, "IA32_MC31_MISC", MsrLayer.Ours)]
    [TestCase(0x491u, "IA32_VMX_VMFUNC", MsrLayer.Hypervisor)]
    [TestCase(0x6e0u, "IA32_TSC_DEADLINE", MsrLayer.Chip)]
    [TestCase(0x83fu, "IA32_X2APIC_SELF_IPI", MsrLayer.Chip)]
    [TestCase(0xda0u, "IA32_XSS", MsrLayer.Hypervisor)]
    [TestCase(0x4b564d01u, "MSR_KVM_SYSTEM_TIME_NEW", MsrLayer.Hypervisor)]
    [TestCase(0xc0000080u, "IA32_EFER", MsrLayer.Hypervisor)]
    [TestCase(0xc0000103u, "IA32_TSC_AUX", MsrLayer.Hypervisor)]
    [TestCase(0xc0010015u, "HWCR", MsrLayer.Policy)]
    [TestCase(0xc0011029u, "DE_CFG", MsrLayer.Ours)]
    public void Register_is_where_the_manual_says(uint index, string name, MsrLayer layer)
    {
        MsrRegistry.TryFind(new MsrIndex(index), out MsrDescription byIndex).Should().BeTrue();
        MsrRegistry.TryFind(name.ToLowerInvariant(), out MsrDescription byName).Should().BeTrue();

        byIndex.Should().Be(byName);
        (byIndex.Name, byIndex.Layer).Should().Be((name, layer));
    }

    [Test]
    public void No_register_is_there_twice()
    {
        MsrRegistry.All.Select(description => description.Number).Should().OnlyHaveUniqueItems();
        MsrRegistry.All.Select(description => description.Name).Should().OnlyHaveUniqueItems();
    }

    [Test]
    public void Every_register_is_found_by_index_and_others_are_not()
    {
        HashSet<uint> known = [.. MsrRegistry.All.Select(description => description.Number)];
        IEnumerable<uint> around = known.SelectMany(index => (uint[])[index - 1, index, index + 1]);

        around.Where(index => MsrRegistry.TryFind(new MsrIndex(index), out MsrDescription found) != known.Contains(index)
            || (known.Contains(index) && found.Number != index)).Should().BeEmpty();
    }

    [Test]
    public void Features_of_registers_exist() =>
        MsrRegistry.All.SelectMany(description => description.Features.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Should().OnlyContain(name => CpuFeatures.All.Any(feature => feature.Name == name));

    [Test]
    public void Registers_of_features_are_known_or_hold_no_state_of_a_guest() =>
        CpuFeatures.All.Where(feature => feature.State != 0 && feature.Msr != 0 && feature.Name is "xsaves" or "pku" or "mpx" or "user_shstk")
            .Should().OnlyContain(feature => feature.Msr == 0 || MsrRegistry.All.Any(description => description.Number == feature.Msr));

    [Test]
    public void Reset_values_are_accepted_by_their_rules() =>
        MsrRegistry.All.Where(description => description.Rule is not (MsrRule.ReadOnly or MsrRule.Constant)
                && !MsrChecks.IsAccepted(description, description.Reset, 57, 52))
            .Should().BeEmpty();

    [TestCase("IA32_PAT", 0x277u)]
    [TestCase("ia32_pat", 0x277u)]
    [TestCase("0xC0010015", 0xc0010015u)]
    [TestCase("0x7777", 0x7777u)]
    public void Name_or_index_is_read(string text, uint index)
    {
        MsrRegistry.TryParse(text, out MsrIndex found, out string? problem).Should().BeTrue(problem);
        found.Value.Should().Be(index);
    }

    [TestCase("IA32_PTA", "did you mean 'IA32_PAT'?")]
    [TestCase("0x1ffffffff", "not the index of a register")]
    [TestCase("", "no register is called ''")]
    public void Other_text_is_refused(string text, string problem)
    {
        MsrRegistry.TryParse(text, out _, out string? found).Should().BeFalse();
        found.Should().Contain(problem);
    }

    [Test]
    public void Lookup_allocates_nothing()
    {
        bool isKnown = MsrRegistry.TryFind(new MsrIndex(0x277), out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint index = 0; index < 1000; index++)
        {
            isKnown |= MsrRegistry.TryFind(new MsrIndex(index), out _);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        isKnown.Should().BeTrue();
    }
}
