// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class LegacyCpuidTests
{
    private static readonly LegacyCpuidState s_state = new(5, new CpuTopology(2, 4, 2), AllowedXcr0: 7);

    [Test]
    public void Vendor_is_the_hosts() =>
        Intel(0, 0).Should().Be(new CpuidEntry(0, 0, false, 0x24, 0x756e6547, 0x6c65746e, 0x49656e69));

    [Test]
    public void Leaf_1_has_the_vcpus_identifier_and_the_number_of_threads() =>
        (Intel(1, 0).Eax, Intel(1, 0).Ebx).Should().Be((0x50657, 5 << 24 | 8 << 16 | 8 << 8));

    [Test]
    public void Leaf_1_hides_what_the_guest_cannot_have()
    {
        CpuidEntry answer = Intel(1, 0);

        // VMX, SMX, EST, TM2, MONITOR, PDCM, x2APIC, TSC deadline, OSXSAVE; ACPI, TM, DS.
        (answer.Ecx & (1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 3 | 1 << 15 | 1 << 21 | 1 << 24 | 1 << 27)).Should().Be(0);
        (answer.Edx & (1 << 22 | 1 << 29 | 1 << 21)).Should().Be(0);
        (answer.Ecx >> 31).Should().Be(1);
        (answer.Edx & (1 << 7 | 1 << 12 | 1 << 14 | 1 << 28)).Should().Be(1 << 7 | 1 << 12 | 1 << 14 | 1 << 28);
        (answer.Ecx >> 26 & 1).Should().Be(1);
    }

    [Test]
    public void Leaf_1_follows_the_state()
    {
        CpuidEntry answer = LegacyCpuid.Emulate(
            Host("GenuineIntel"), s_state with { IsX2ApicAllowed = true, IsOsXsaveSet = true }, 1, 0);

        (answer.Ecx >> 21 & 1).Should().Be(1);
        (answer.Ecx >> 27 & 1).Should().Be(1);
        (LegacyCpuid.Emulate(Host("GenuineIntel"), s_state with { AllowedXcr0 = 0 }, 1, 0).Ecx >> 26 & 1).Should().Be(0);
    }

    [Test]
    public void Leaf_6_keeps_only_arat() => Intel(6, 0).Should().Be(new CpuidEntry(6, 0, false, 4, 0, 0, 0));

    [Test]
    public void Leaf_7_keeps_a_list()
    {
        Intel(7, 0).Should().Be(new CpuidEntry(7, 0, false, 0, 0x3c150bb9, 0, 1 << 10));
        Intel(7, 1).Should().Be(new CpuidEntry(7, 1, false, 0, 0, 0, 0));
        (LegacyCpuid.Emulate(Host("GenuineIntel"), s_state with { IsInvpcidEnabled = true }, 7, 0).Ebx >> 10 & 1).Should().Be(1);
    }

    [TestCase(0xau)]
    [TestCase(0xfu)]
    [TestCase(0x10u)]
    [TestCase(0x15u)]
    public void Leaf_is_all_zeros(uint function) => Intel(function, 0).Should().Be(new CpuidEntry(function, 0, false, 0, 0, 0, 0));

    [TestCase(0u, 1u, 2u, 0x100u, 5u)]
    [TestCase(1u, 3u, 8u, 0x201u, 5u)]
    [TestCase(2u, 0u, 0u, 2u, 0u)]
    public void Leaf_b_tells_the_topology(uint index, uint eax, uint ebx, uint ecx, uint edx) =>
        Intel(0xb, index).Should().Be(new CpuidEntry(0xb, index, false, eax, ebx, ecx, edx));

    [Test]
    public void Leaf_b_is_intels_alone() => Amd(0xb, 0).Should().Be(new CpuidEntry(0xb, 0, false, 0, 0, 0, 0));

    [TestCase(0u, 7u)]
    [TestCase(1u, 1u)]
    [TestCase(2u, 256u)]
    [TestCase(5u, 0u)]
    [TestCase(64u, 0u)]
    [TestCase(uint.MaxValue, 0u)]
    public void Leaf_d_is_what_the_guest_may_enable(uint index, uint eax) => Intel(0xd, index).Eax.Should().Be(eax);

    [TestCase(0x4000_0000u)]
    [TestCase(0x4000_0001u)]
    [TestCase(0x7fff_ffffu)]
    public void Hypervisor_range_has_one_leaf(uint function)
    {
        CpuidEntry answer = Intel(function, 0);

        answer.Eax.Should().Be(0x4000_0000);
        uint[] words = [answer.Ebx, answer.Ecx, answer.Edx];
        System.Text.Encoding.ASCII.GetString(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words.AsSpan())).Should().Be("bhyve bhyve ");
    }

    [Test]
    public void Beyond_the_greatest_leaf_answers_the_greatest() =>
        (Intel(0x3fff_ffff, 0) with { Function = 0x24 }).Should().Be(Intel(0x24, 0));

    [Test]
    public void Beyond_the_greatest_extended_leaf_answers_the_greatest() =>
        (Intel(0xffff_ffff, 0) with { Function = 0x8000_0022 }).Should().Be(Intel(0x8000_0022, 0));

    [Test]
    public void Extended_features_hide_what_the_guest_cannot_have()
    {
        CpuidEntry answer = Amd(0x8000_0001, 0);

        (answer.Ecx & (1 << 2 | 1 << 9 | 1 << 10 | 1 << 17 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 28 | 1 << 29)).Should().Be(0);
        (answer.Edx & (1 << 25 | 1 << 27)).Should().Be(0);
        (answer.Edx >> 29 & 1).Should().Be(1);
    }

    [Test]
    public void Power_leaf_keeps_only_the_invariant_tsc() =>
        Intel(0x8000_0007, 0).Should().Be(new CpuidEntry(0x8000_0007, 0, false, 0, 0, 0, 1 << 8));

    [Test]
    public void Amd_sizes_keep_three_features_and_tell_the_cores() =>
        (Amd(0x8000_0008, 0).Ebx, Amd(0x8000_0008, 0).Ecx).Should().Be((7, 7));

    [TestCase(0u, 0x00004121u)]
    [TestCase(1u, 0x00004143u)]
    [TestCase(2u, 0x0001c163u)]
    [TestCase(3u, 0u)]
    public void Amd_caches_are_made_up(uint index, uint eax) => Amd(0x8000_001d, index).Eax.Should().Be(eax);

    [Test]
    public void Amd_identifiers_are_the_vcpus() =>
        Amd(0x8000_001e, 0).Should().Be(new CpuidEntry(0x8000_001e, 0, false, 5, 1 << 8 | 2, 0, 0));

    [TestCase(CpuidCapability.NoExecute, true)]
    [TestCase(CpuidCapability.FastFxsave, false)]
    [TestCase(CpuidCapability.TranslationCacheExtension, false)]
    public void Capability_is_known(CpuidCapability capability, bool has) =>
        CpuidCapabilities.Has(Host("AuthenticAMD"), capability).Should().Be(has);

    [Test]
    public void Capability_that_is_none_is_refused()
    {
        Action ask = () => CpuidCapabilities.Has(Host("AuthenticAMD"), (CpuidCapability)4);

        ask.Should().Throw<ArgumentOutOfRangeException>();
    }

    private static CpuidEntry Intel(uint function, uint index) => LegacyCpuid.Emulate(Host("GenuineIntel"), s_state, function, index);

    private static CpuidEntry Amd(uint function, uint index) => LegacyCpuid.Emulate(Host("AuthenticAMD"), s_state, function, index);

    private static CpuidLookup Host(string vendor)
    {
        CpuidEntry[] entries =
        [
            .. Machines.Everything(vendor).Select(entry => entry.Function == 1 && vendor == "AuthenticAMD" ? entry with { Eax = 0xa10f11 } : entry),
        ];
        return new CpuidLookup(CpuidConfiguration.Create(CpuidFlags.None, entries));
    }
}
