// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Cli;
using Vmm.Cli.Backends;
using Vmm.Tests.Support;

namespace Vmm.Tests.Cli;

/// <summary>What <c>--backend auto</c> takes on hosts of every kind.</summary>
internal sealed class BackendChoiceTests
{
    [Test]
    public void KVM_that_runs_guests_natively_is_taken()
    {
        FakeBackend kvm = Kvm(HostVirtualization.Vmx);

        using OpenedBackend opened = Auto(kvm).Open(log: null);

        opened.Backend.Should().BeSameAs(kvm);
        opened.Reason.Should().Contain("natively");
        opened.Translates.Should().BeNull();
    }

    [Test]
    public void KVM_that_interprets_guests_is_left()
    {
        using OpenedBackend opened = Auto(Kvm(HostVirtualization.Pvm)).Open(log: null);

        ShouldBeSoftware(opened, "PVM");
    }

    [Test]
    public void Device_that_cannot_be_used_leaves_software()
    {
        BackendChoice choice = Auto(Kvm(HostVirtualization.Vmx)) with { FindProblem = static _ => "the device is not there" };

        using OpenedBackend opened = choice.Open(log: null);

        ShouldBeSoftware(opened, "the device is not there");
    }

    /// <summary>A capability that is required is missing, or the kick's signal is taken.</summary>
    [Test]
    public void KVM_that_refuses_to_be_opened_leaves_software()
    {
        BackendChoice choice = Auto(Kvm(HostVirtualization.Vmx)) with
        {
            OpenDevice = static (_, _) => throw new HypervisorException("it lacks KVM_CAP_IMMEDIATE_EXIT", new InvalidOperationException()),
        };

        using OpenedBackend opened = choice.Open(log: null);

        ShouldBeSoftware(opened, "KVM_CAP_IMMEDIATE_EXIT");
    }

    /// <summary>So does the kernel when another hypervisor has the processor's virtualization.</summary>
    [Test]
    public void KVM_that_makes_no_VM_leaves_software()
    {
        FakeBackend kvm = Kvm(HostVirtualization.Vmx);
        kvm.VmRefusal = new VmmException("CreateVm", VmmError.EBUSY, "another hypervisor has the processor");

        using OpenedBackend opened = Auto(kvm).Open(log: null);

        ShouldBeSoftware(opened, "another hypervisor has the processor");
    }

    [Test]
    public void KVM_that_was_asked_for_by_name_is_refused_and_not_replaced()
    {
        BackendChoice choice = Auto(Kvm(HostVirtualization.Vmx)) with
        {
            Kind = BackendKind.Kvm,
            OpenDevice = static (_, _) => throw new HypervisorException("it lacks KVM_CAP_IMMEDIATE_EXIT", new InvalidOperationException()),
        };

        Func<OpenedBackend> open = () => choice.Open(log: null);

        open.Should().Throw<HypervisorException>();
    }

    private static void ShouldBeSoftware(OpenedBackend opened, string reason)
    {
        opened.Backend.Description.Name.Should().Be("software");
        opened.Reason.Should().Contain(reason);
    }

    private static FakeBackend Kvm(HostVirtualization virtualization) =>
        new() { Description = new HypervisorDescription("kvm", virtualization, MaxCpus: 4, CpuidFixedAfterRun: true) };

    private static BackendChoice Auto(FakeBackend kvm) => new(BackendKind.Auto, DeviceOption.DefaultPath, InterruptControllers: null)
    {
        FindProblem = static _ => null,
        OpenDevice = (_, _) => kvm,
    };
}
