// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>Exits other than accesses, events and capabilities, shown by guests.</summary>
[Category("Kvm")]
internal sealed class KvmVcpuExitTests
{
    [Test]
    public void Halt_is_reported_behind_the_instruction_with_the_flags()
    {
        using KvmGuest guest = KvmGuest.RealMode([0xfb, 0xf4]); // sti; hlt

        guest.Run().Code.Should().Be(ExitCode.Hlt);
        guest.Exit.Rip.Should().Be(KvmGuest.CodeAddress + 2);
        (guest.Exit.Value & 0x200).Should().Be(0x200);
    }

    [Test]
    public void A_triple_fault_is_a_shutdown()
    {
        using KvmGuest guest = KvmGuest.LongMode([0x0f, 0x0b]); // ud2
        guest.Cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(0, 0, default));

        guest.Run().Code.Should().Be(ExitCode.Shutdown);
    }

    [Test]
    public void An_instruction_that_kvm_cannot_emulate_comes_with_its_bytes()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xf3, 0x48, 0x0f, 0xb8, 0xc1, 0xf4]); // popcnt rax,rcx; hlt
        if (guest.Backend.Description.Virtualization != HostVirtualization.Pvm)
        {
            Assert.Ignore("this host executes kernel-mode code natively, so that nothing fails to be emulated");
        }

        guest.Run().Code.Should().Be(ExitCode.InstructionEmulation);
        guest.Exit.InstructionEmulation.Suberror.Should().Be(1);
        guest.Exit.InstructionEmulation.Bytes[..5].ToArray().Should().Equal(0xf3, 0x48, 0x0f, 0xb8, 0xc1);
        guest.Exit.Rip.Should().Be(KvmGuest.CodeAddress);
    }

    [Test]
    public void An_injected_exception_reaches_its_handler_and_registers_written_after_it_stay()
    {
        // hlt at 0x1000; handler of vector 6 at 0x1100: out 0x42,al; hlt
        using KvmGuest guest = KvmGuest.RealMode([0xf4]);
        ((ReadOnlySpan<byte>)[0x00, 0x11, 0, 0]).CopyTo(guest.MemoryAt(6 * 4, 4));
        ((ReadOnlySpan<byte>)[0xe6, 0x42, 0xf4]).CopyTo(guest.MemoryAt(0x1100, 3));

        guest.Cpu.Events = guest.Cpu.Events with
        {
            Injected = EventInformation.Create(EventType.HardwareException, 6),
        };
        guest.Cpu.SetRegister(RegisterName.Rax, 0x5a);

        guest.Run().Port.Eax.Should().Be(0x5a);
    }

    [Test]
    public void An_interrupt_is_injected_when_the_guest_can_take_it_and_refused_before()
    {
        // sti; nop; hlt; handler of vector 0x20 at 0x1100: out 0x42,al; hlt
        using KvmGuest guest = KvmGuest.RealMode([0xfb, 0x90, 0xf4]);
        ((ReadOnlySpan<byte>)[0x00, 0x11, 0, 0]).CopyTo(guest.MemoryAt(0x20 * 4, 4));
        ((ReadOnlySpan<byte>)[0xe6, 0x42, 0xf4]).CopyTo(guest.MemoryAt(0x1100, 3));
        guest.Cpu.IsReadyForInterrupt.Should().BeFalse("interrupts are disabled");
        guest.Run().Code.Should().Be(ExitCode.Hlt);

        guest.Cpu.IsReadyForInterrupt.Should().BeTrue();
        guest.Cpu.InjectInterrupt(0x20);
        guest.Run().Port.Port.Should().Be(0x42);
    }

    [Test]
    public void The_interrupt_window_opens_when_the_guest_enables_interrupts()
    {
        using KvmGuest guest = KvmGuest.RealMode([0x90, 0xfb, 0xeb, 0xfe]); // nop; sti; jmp $
        guest.Cpu.InterruptWindowRequested = true;

        guest.Run().Code.Should().Be(ExitCode.InterruptWindow);
        guest.Cpu.IsReadyForInterrupt.Should().BeTrue();
        guest.Exit.Rip.Should().BeGreaterThan(KvmGuest.CodeAddress + 1);
    }

    [Test]
    public void A_single_step_exits_after_one_instruction()
    {
        using KvmGuest guest = KvmGuest.LongMode([0x90, 0x90, 0xf4]); // nop; nop; hlt
        guest.Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);

        guest.Run().Code.Should().Be(ExitCode.MonitorTrap);
        guest.Exit.Rip.Should().Be(KvmGuest.CodeAddress + 1);
        guest.Cpu.GetCapability(VcpuCapability.MonitorTrapExit).Should().BeTrue();
        guest.Cpu.SetCapability(VcpuCapability.MonitorTrapExit, false);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [TestCase(VcpuCapability.PauseExit)]
    [TestCase(VcpuCapability.EnableInvpcid)]
    [TestCase(VcpuCapability.TrapWbinvd)]
    public void A_capability_that_kvm_cannot_express_is_refused_by_name(VcpuCapability capability)
    {
        using KvmGuest guest = KvmGuest.RealMode([0xf4]);

        Action set = () => guest.Cpu.SetCapability(capability, true);
        set.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.ENOENT);
    }

    [Test]
    public void Cpuid_cannot_change_once_the_vcpu_has_run()
    {
        using KvmGuest guest = KvmGuest.RealMode([0xf4]);
        guest.Run();

        Action set = () => guest.Cpu.SetCpuid(guest.Backend.GetSupportedCpuid().AsSpan());
        set.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
    }

    [TestCase(InterruptControllerMode.Userspace)]
    [TestCase(InterruptControllerMode.Split)]
    [TestCase(InterruptControllerMode.Kernel)]
    public void A_vm_can_be_created_in_every_interrupt_controller_mode(InterruptControllerMode mode)
    {
        using KvmGuest guest = KvmGuest.RealMode([0xe6, 0xe9, 0xf4], mode: mode); // out 0xe9,al; hlt

        guest.Vm.InterruptControllerMode.Should().Be(mode);
        guest.Run().Port.Port.Should().Be(0xe9, "no chip of the kernel has this port");
    }

    [Test]
    public void With_the_irqchip_in_the_kernel_a_halted_vcpu_is_found_by_its_activity()
    {
        using KvmGuest guest = KvmGuest.RealMode([0xfa, 0xf4], mode: InterruptControllerMode.Kernel); // cli; hlt
        VmExit exit = default;
        guest.Cpu.BeginRun();
        guest.Cpu.Kick();
        guest.Cpu.Run(ref exit);
        exit.Code.Should().Be(ExitCode.Bogus);
        using Timer kicks = new(_ => guest.Cpu.Kick(), null, TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(5));
        while (guest.Cpu.Activity != BackendActivity.Halted)
        {
            guest.Cpu.Run(ref exit);
            exit.Code.Should().Be(ExitCode.Bogus, "the kernel keeps HLT to itself");
        }

        guest.Cpu.EndRun();
        (guest.Cpu.GetRegister(RegisterName.Rflags) & 0x200).Should().Be(0);
    }

    [Test]
    public void An_exception_that_is_pending_beside_an_injected_interrupt_is_kept()
    {
        // hlt at 0x1000; handler of vector 1 at 0x1100: out 0x42,al; hlt; of vector 0x20 at 0x1200: out 0x43,al; hlt
        using KvmGuest guest = KvmGuest.RealMode([0xf4]);
        ((ReadOnlySpan<byte>)[0x00, 0x11, 0, 0]).CopyTo(guest.MemoryAt(1 * 4, 4));
        ((ReadOnlySpan<byte>)[0x00, 0x12, 0, 0]).CopyTo(guest.MemoryAt(0x20 * 4, 4));
        ((ReadOnlySpan<byte>)[0xe6, 0x42, 0xf4]).CopyTo(guest.MemoryAt(0x1100, 3));
        ((ReadOnlySpan<byte>)[0xe6, 0x43, 0xf4]).CopyTo(guest.MemoryAt(0x1200, 3));

        guest.Cpu.Events = guest.Cpu.Events with
        {
            Injected = EventInformation.Create(EventType.HardwareInterrupt, 0x20),
            Pending = EventInformation.Create(EventType.HardwareException, 1),
        };

        ushort[] ports = new ushort[2];
        ports[0] = guest.Run().Port.Port;
        guest.Cpu.Fulfill();
        ports[1] = guest.Run().Port.Port;
        ports.Should().BeEquivalentTo([(ushort)0x42, (ushort)0x43]);
    }
}
