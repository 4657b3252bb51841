// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

public sealed class KvmDoctorTests
{
    private static readonly KvmHostReport s_report = new()
    {
        Device = new KvmDevice("/dev/kvm", KvmDeviceStatus.Usable, "", "", ""),
        Virtualization = HostVirtualization.Vmx,
        Capabilities = [new("KVM_CAP_USER_MEMORY", 1, true, "memory")],
    };

    [Test]
    public void Host_without_a_required_capability_is_not_usable()
    {
        KvmHostReport report = s_report with { Capabilities = [new("KVM_CAP_USER_MEMORY", 0, true, "memory")] };

        report.IsUsable.Should().BeFalse();
        KvmDoctor.Conclude(report).DoesNotWork.Should().ContainMatch("*KVM_CAP_USER_MEMORY*");
    }

    [Test]
    public void Host_without_an_optional_capability_is_usable() =>
        (s_report with { Capabilities = [new("KVM_CAP_X86_SMM", 0, false, "")] }).IsUsable.Should().BeTrue();

    [Test]
    public void Failed_measurement_makes_a_host_unusable() =>
        (s_report with { Failure = "KVM_CREATE_VM failed" }).IsUsable.Should().BeFalse();

    [Test]
    public void Board_needs_the_kernels_chips()
    {
        KvmHostReport report = s_report with { Capabilities = [new("KVM_CAP_PIT2", 0, false, "")] };

        KvmDoctor.Conclude(report).DoesNotWork.Should().ContainMatch("*vmm run*");
    }

    [Test]
    public void Interpreting_host_is_told_from_its_speed()
    {
        KvmHostReport report = s_report with { Measurements = new KvmMeasurements(default, default, 1e6) };

        KvmDoctor.Conclude(report).DoesNotWork.Should().ContainMatch("*interprets*");
    }

    [Test]
    public void Software_virtualization_says_what_cannot_work() =>
        KvmDoctor.Conclude(s_report with { Virtualization = HostVirtualization.Pvm }).DoesNotWork.Should().ContainMatch("*SYSCALL*");

    [Test]
    public void Missing_device_is_not_measured()
    {
        KvmHostReport report = KvmDoctor.Examine("/nonexistent/kvm");

        report.IsUsable.Should().BeFalse();
        report.Measurements.Should().BeNull();
        report.Capabilities.Should().BeEmpty();
    }

    [Test]
    [Category("Kvm")]
    public void This_host_is_measured()
    {
        KvmRequirement.Open().Dispose();

        KvmHostReport report = KvmDoctor.Examine();

        report.IsUsable.Should().BeTrue();
        report.ApiVersion.Should().Be(12);
        report.Measurements!.Value.PortExit.Should().BePositive();
        report.Measurements.Value.MmioExit.Should().BePositive();
        report.Measurements.Value.InstructionsPerSecond.Should().BePositive();
    }
}
