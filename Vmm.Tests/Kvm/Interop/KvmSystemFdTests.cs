// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Every request of the system descriptor on this host.</summary>
[TestFixture]
[Category("Kvm")]
public sealed class KvmSystemFdTests
{
    private KvmSystemFd _system = null!;

    [SetUp]
    public void Open() => _system = KvmRequirement.Open();

    [TearDown]
    public void Close() => _system?.Dispose();

    [Test]
    public void Api_version_is_the_header_s() =>
        _system.GetApiVersion().Should().Be(KvmConstants.ApiVersion);

    [Test]
    public void Run_mapping_holds_the_run_structure_the_port_page_and_the_ring() =>
        _system.GetVcpuMmapSize().Should().BeGreaterThanOrEqualTo(3 * LibC.PageSize);

    [Test]
    public void Unknown_capability_is_absent() =>
        _system.CheckExtension((KvmCapability)0xffff).Should().Be(0);

    [Test]
    public void Supported_cpuid_has_the_basic_leaf_with_a_vendor()
    {
        KvmCpuidEntry2 basic = _system.GetSupportedCpuid().Single(entry => entry.Function == 0);

        basic.Eax.Should().BeGreaterThanOrEqualTo(1);
        basic.Ebx.Should().NotBe(0);
    }

    [Test]
    public void Emulated_cpuid_is_listed_or_refused_by_name() =>
        ListedOrMissing(KvmCapability.ExtEmulCpuid, () => _system.GetEmulatedCpuid().Length);

    [Test]
    public void Hyperv_cpuid_is_listed_or_refused_by_name() =>
        ListedOrMissing(KvmCapability.SysHypervCpuid, () => _system.GetSupportedHvCpuid().Length);

    [Test]
    public void Msr_list_holds_the_time_stamp_counter() =>
        _system.GetMsrIndexList().Should().Contain(0x10u);

    [Test]
    public void Feature_msrs_are_read_in_one_call_up_to_the_first_refusal()
    {
        KvmRequirement.Require(_system, KvmCapability.GetMsrFeatures);
        uint[] indices = _system.GetMsrFeatureIndexList();
        KvmMsrEntry[] entries = [.. indices.Select(index => new KvmMsrEntry { Index = index })];

        int read = _system.GetMsrs(entries);

        read.Should().Be(indices.Length);
    }

    [Test]
    public void Refused_feature_msr_ends_the_count()
    {
        KvmRequirement.Require(_system, KvmCapability.GetMsrFeatures);
        KvmMsrEntry[] entries = [new() { Index = 0xdead_0000 }];

        _system.GetMsrs(entries).Should().Be(0);
    }

    [Test]
    public void Machine_checks_have_banks_and_their_control_registers()
    {
        // IA32_MCG_CAP bit 8, MCG_CTL_P (Intel SDM volume 3, machine-check architecture).
        const ulong ControlPresent = 1 << 8;

        _system.CheckExtension(KvmCapability.Mce).Should().BeGreaterThan(0);
        (_system.GetMceCapSupported() & ControlPresent).Should().NotBe(0);
    }

    [Test]
    public void Guest_xcomp_support_covers_x87_and_sse_where_the_attribute_exists()
    {
        KvmRequirement.Require(_system, KvmCapability.SysAttributes);
        const uint Group = (uint)KvmSystemAttributeGroup.System;
        const ulong Attribute = KvmConstants.X86XcompGuestSupp;

        _system.HasDeviceAttr(Group, Attribute).Should().BeTrue();
        (_system.GetDeviceAttr(Group, Attribute) & 3).Should().Be(3);
    }

    [Test]
    public void Unknown_system_attribute_is_absent()
    {
        KvmRequirement.Require(_system, KvmCapability.SysAttributes);

        _system.HasDeviceAttr(0xffff, 0).Should().BeFalse();
    }

    [Test]
    public void Missing_device_says_so_and_what_to_do()
    {
        Action open = () => KvmSystemFd.Open("/dev/no-such-kvm").Dispose();

        VmmException refusal = open.Should().Throw<VmmException>().Which;
        refusal.Error.Should().Be(VmmError.ENOENT);
        refusal.Message.Should().Contain("/dev/no-such-kvm").And.Contain("No such file or directory").And.Contain("load");
    }

    [Test]
    public void Unknown_machine_type_is_refused()
    {
        Action create = () => _system.CreateVm((KvmVmType)0x1234).Dispose();

        create.Should().Throw<VmmException>().Which.Operation.Should().Be("KVM_CREATE_VM");
    }

    [Test]
    public void Closed_descriptor_refuses_calls()
    {
        _system.Dispose();

        FluentActions.Invoking(() => _system.GetApiVersion()).Should().Throw<ObjectDisposedException>();
    }

    private void ListedOrMissing(KvmCapability capability, Func<int> list)
    {
        if (_system.CheckExtension(capability) != 0)
        {
            list().Should().BeGreaterThan(0);
        }
        else
        {
            HostRefusal.Of(() => list()).Should().Be(capability);
        }
    }
}
