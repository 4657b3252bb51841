// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Devices of the host, of which no guest gets one.</summary>
public sealed class PassthroughTests : EngineFixture
{
    private static readonly PciFunction s_device = new(3, 2, 1);

    [Test]
    [Proves("vmm_is_pptdev")]
    public void Device_is_set_aside_when_the_options_say_so()
    {
        VirtualMachine machine = Use(Options() with { PassthroughDevices = [s_device] });

        machine.IsPassthroughDevice(s_device).Should().BeTrue();
        machine.IsPassthroughDevice(s_device with { Function = 2 }).Should().BeFalse();
        Create(Options("other")).IsPassthroughDevice(s_device).Should().BeFalse("none is by default");
        s_device.ToString().Should().Be("03:02.1");
    }

    [Test]
    [Proves("vmm_check_iommu", "vm_iommu_domain")]
    public void There_is_no_domain_and_nobody_to_ask_after_the_end()
    {
        VirtualMachine machine = Machine;

        machine.CheckIommu().Should().BeFalse();
        machine.IommuDomain.Should().BeNull();

        Machine.Dispose();
        Action check = () => machine.CheckIommu();
        Action domain = () => _ = machine.IommuDomain;
        check.Should().Throw<ObjectDisposedException>();
        domain.Should().Throw<ObjectDisposedException>();
    }

    [Test]
    [Proves("vm_assign_pptdev", "vm_unassign_pptdev")]
    public void Assigning_fails_at_the_domain_and_taking_back_at_the_device()
    {
        using SafeHandle device = Backend.CreateEvent();
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Action assign = () => Machine.AssignDevice(freeze, device);
        Action unassign = () => Machine.UnassignDevice(freeze, device);

        assign.ShouldFail(VmmError.ENXIO);
        unassign.ShouldFail(VmmError.EBADF);
        freeze.Dispose();
        assign.Should().Throw<InvalidOperationException>("every vCPU has to be frozen");
        unassign.Should().Throw<InvalidOperationException>();
    }
}
