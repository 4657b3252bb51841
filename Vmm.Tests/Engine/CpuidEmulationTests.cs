// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>CPUID that a vCPU answers in software.</summary>
public sealed class CpuidEmulationTests : EngineFixture
{
    private const uint NoExecute = 1 << 20;

    private VirtualCpu Emulation => Cpu;

    [Test]
    public void Vcpu_of_the_engine_has_the_interface() => ((IVirtualCpu)Cpu).Should().BeAssignableTo<ICpuidEmulation>();

    [Test]
    [Proves("vcpu_emulate_cpuid")]
    public void Configured_entry_answers_and_what_has_none_reads_zero()
    {
        Configure(CpuidFlags.None, new(0, 0, false, 2, 3, 4, 5), new(4, 1, true, 6, 7, 8, 9));

        Emulation.EmulateCpuid(0, 77).Should().Be(new CpuidEntry(0, 77, false, 2, 3, 4, 5));
        Words(Emulation.EmulateCpuid(4, 1)).Should().Be((6u, 7u, 8u, 9u));
        Words(Emulation.EmulateCpuid(4, 0)).Should().Be((0u, 0u, 0u, 0u));
        Words(Emulation.EmulateCpuid(0x8000_0000, 0)).Should().Be((0u, 0u, 0u, 0u));
    }

    [Test]
    public void Leaf_out_of_range_falls_back_where_the_configuration_says_so()
    {
        Configure(CpuidFlags.IntelFallback, new(0, 0, false, 1, 0, 0, 0), new(1, 0, false, 6, 7, 8, 9));

        Words(Emulation.EmulateCpuid(0x55, 0)).Should().Be((6u, 7u, 8u, 9u));
    }

    [Test]
    [Proves("vm_set_cpuid")]
    public void New_configuration_replaces_the_old_one()
    {
        Configure(CpuidFlags.None, new CpuidEntry(0, 0, false, 1, 1, 1, 1));
        Emulation.EmulateCpuid(0, 0);

        Configure(CpuidFlags.None, new CpuidEntry(0, 0, false, 2, 2, 2, 2));

        Emulation.EmulateCpuid(0, 0).Eax.Should().Be(2);
    }

    [Test]
    public void Vcpu_without_a_configuration_answers_by_the_legacy_rules()
    {
        Machine.Topology = new CpuTopology(1, 4, 1);
        VirtualCpu second = CpuOf(2);

        CpuidEntry features = second.EmulateCpuid(1, 0);

        (features.Ebx >> 24).Should().Be(2, "the APIC identifier is the vCPU's number");
        (features.Ebx >> 16 & 0xff).Should().Be(4, "the package has four threads");
        (features.Ecx >> 31).Should().Be(1, "a hypervisor is there");
        second.EmulateLegacyCpuid(1, 0).Should().Be(features);
        second.EmulateCpuid(0x4000_0000, 0).Ebx.Should().Be(0x7679_6862);
    }

    [Test]
    public void Legacy_rules_follow_the_guests_CR4()
    {
        Backend = new FakeBackend { SupportedCpuid = WithXsave() };
        const uint OsXsave = 1 << 27;
        uint before = Emulation.EmulateCpuid(1, 0).Ecx & OsXsave;

        Cpu.SetRegister(RegisterName.Cr4, 1 << 18);

        before.Should().Be(0);
        (Emulation.EmulateCpuid(1, 0).Ecx & OsXsave).Should().Be(OsXsave);
        Emulation.EmulateCpuid(0xd, 0).Eax.Should().Be((uint)FakeBackend.Xcr0Limit);
    }

    [Test]
    [Proves("legacy_emulate_cpuid")]
    public void Legacy_rules_can_be_asked_beside_a_configuration()
    {
        Configure(CpuidFlags.None, new CpuidEntry(1, 0, false, 0, 0, 0, 0));

        Emulation.EmulateCpuid(1, 0).Ecx.Should().Be(0);
        Emulation.EmulateLegacyCpuid(1, 0).Ecx.Should().NotBe(0);
    }

    [TestCase(CpuidCapability.NoExecute, NoExecute, true)]
    [TestCase(CpuidCapability.NoExecute, 0u, false)]
    [TestCase(CpuidCapability.FastFxsave, uint.MaxValue, false)]
    [TestCase(CpuidCapability.TranslationCacheExtension, uint.MaxValue, false)]
    public void Capability_is_the_hosts_no_execute_and_nothing_else(CpuidCapability capability, uint features, bool expected)
    {
        Backend = new FakeBackend
        {
            SupportedCpuid = [.. Backend.SupportedCpuid, new(0x8000_0000, 0, false, 0x8000_0001, 0, 0, 0), new(0x8000_0001, 0, false, 0, 0, 0, features)],
        };

        Emulation.HasCapability(capability).Should().Be(expected);
    }

    [TestCase(CpuidCapability.None)]
    [TestCase((CpuidCapability)4)]
    [Proves("vm_cpuid_capability")]
    public void What_is_no_capability_is_a_callers_mistake(CpuidCapability capability)
    {
        Action ask = () => Emulation.HasCapability(capability);

        ask.Should().Throw<ArgumentOutOfRangeException>();
    }

    private static (uint Eax, uint Ebx, uint Ecx, uint Edx) Words(CpuidEntry entry) => (entry.Eax, entry.Ebx, entry.Ecx, entry.Edx);

    private System.Collections.Immutable.ImmutableArray<CpuidEntry> WithXsave() =>
        [.. Backend.SupportedCpuid.Select(entry => entry.Function == 1 ? entry with { Ecx = entry.Ecx | 1 << 26 } : entry)];

    private void Configure(CpuidFlags flags, params ReadOnlySpan<CpuidEntry> entries) =>
        Cpu.Cpuid = CpuidConfiguration.Create(flags, entries);
}
