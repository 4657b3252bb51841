// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>What the vCPU in software does at single instructions, shown by guests of a few bytes.</summary>
internal sealed class SoftwareVcpuTests
{
    private const ulong Handler = 0x1100;

    [Test]
    public void Halt_is_reported_behind_the_instruction_with_the_flags()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xfb, 0xf4]); // sti; hlt

        guest.Run().Code.Should().Be(ExitCode.Hlt);

        guest.Exit.Rip.Should().Be(BackendGuest.CodeAddress + 2);
        (guest.Exit.Value & 0x200).Should().Be(0x200);
    }

    [Test]
    public void A_triple_fault_is_a_shutdown()
    {
        using SoftwareGuest guest = SoftwareGuest.LongMode([0x0f, 0x0b]); // ud2
        guest.Cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(0, 0, default));

        guest.Run().Code.Should().Be(ExitCode.Shutdown);
    }

    [Test]
    public void An_instruction_of_a_feature_that_is_not_promised_does_not_exist()
    {
        // gf2p8mulb xmm0,xmm1; the gate of #UD in the table at 0 leads to the handler: out 0x42,al
        using SoftwareGuest guest = SoftwareGuest.RealMode([0x66, 0x0f, 0x38, 0xcf, 0xc1]);
        BinaryPrimitives.WriteUInt32LittleEndian(guest.MemoryAt(6 * 4, 4), (uint)Handler);
        ((ReadOnlySpan<byte>)[0xe6, 0x42]).CopyTo(guest.MemoryAt(Handler, 2));

        guest.Run().Port.Port.Should().Be(0x42);
    }

    [Test]
    public void An_exception_that_cannot_be_delivered_becomes_a_double_fault()
    {
        // hlt in protected mode; gate 13 is not present, gate 8 leads to the handler: out 0x42,al
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);
        EnterProtectedMode(guest);
        WriteGate(guest, 8, Handler);
        ((ReadOnlySpan<byte>)[0xe6, 0x42]).CopyTo(guest.MemoryAt(Handler, 2));

        guest.Cpu.Events = guest.Cpu.Events with { Pending = EventInformation.Create(EventType.HardwareException, 13, 0) };

        guest.Run().Port.Port.Should().Be(0x42);
    }

    [Test]
    public void An_interrupt_waits_behind_STI_for_one_instruction()
    {
        // sti; nop; hlt
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xfb, 0x90, 0xf4]);
        guest.Cpu.InterruptWindowRequested = true;

        guest.Run().Code.Should().Be(ExitCode.InterruptWindow);

        guest.Exit.Rip.Should().Be(BackendGuest.CodeAddress + 2, "the instruction behind STI has executed, and no further one");
        guest.Cpu.IsReadyForInterrupt.Should().BeTrue();
    }

    [Test]
    public void An_NMI_waits_behind_a_shadow_for_one_instruction()
    {
        // inc eax; jmp to the first, for ever; handler of vector 2: out 0x42,al
        using SoftwareGuest guest = SoftwareGuest.RealMode([0x66, 0x40, 0xeb, 0xfc]);
        WriteVector(guest, 2, Handler);
        ((ReadOnlySpan<byte>)[0xe6, 0x42]).CopyTo(guest.MemoryAt(Handler, 2));
        guest.Cpu.SetRegister(RegisterName.Rax, 0);
        guest.Cpu.Events = guest.Cpu.Events with { InterruptShadow = true };
        guest.Cpu.InjectNmi();

        guest.Run().Port.Port.Should().Be(0x42);

        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(1);
    }

    [Test]
    public void Code_outside_memory_exits_also_behind_a_window_that_somebody_waited_for()
    {
        // sti; nop; jmp to 2 MiB, where no memory is
        using SoftwareGuest guest = SoftwareGuest.LongMode([0xfb, 0x90, 0xe9, 0xf9, 0xef, 0x1f, 0x00]);
        guest.Cpu.InterruptWindowRequested = true;
        guest.Run().Code.Should().Be(ExitCode.InterruptWindow);
        guest.Cpu.InterruptWindowRequested = false;
        VmExit exit = default;

        guest.Cpu.Run(ref exit);

        exit.Code.Should().Be(ExitCode.InstructionEmulation);
        exit.Rip.Should().Be(BackendGuest.MemoryLength);
    }

    [Test]
    public void A_window_that_is_open_for_one_instruction_is_not_missed()
    {
        // cli; sti; nop; cli; jmp to the first, for ever
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xfa, 0xfb, 0x90, 0xfa, 0xeb, 0xfa]);
        guest.Cpu.InterruptWindowRequested = true;

        guest.Run().Code.Should().Be(ExitCode.InterruptWindow);

        guest.Exit.Rip.Should().Be(BackendGuest.CodeAddress + 3);
    }

    [Test]
    public void Whose_rules_are_followed_is_what_CPUID_says()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);
        SoftwareVcpu cpu = (SoftwareVcpu)guest.Cpu;
        cpu.State.Vendor.Should().Be(CpuVendor.Intel);

        cpu.SetCpuid(
        [
            .. SoftwareProcessor.Entries.Select(entry => entry.Function == 0
                ? entry with { Ebx = 0x6874_7541, Edx = 0x6974_6e65, Ecx = 0x444d_4163 }
                : entry),
        ]);

        cpu.State.Vendor.Should().Be(CpuVendor.Amd);
    }

    [Test]
    public void An_interrupt_that_the_guest_cannot_take_is_refused()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);

        Action inject = () => guest.Cpu.InjectInterrupt(0x20);

        inject.ShouldFail(VmmError.EBUSY);
    }

    [Test]
    public void An_NMI_blocks_the_next_one_until_IRET()
    {
        // hlt; handler of vector 2: inc byte [0x3000]; out 0x42,al; iret
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4, 0xf4]);
        WriteVector(guest, 2, Handler);
        ((ReadOnlySpan<byte>)[0xfe, 0x06, 0x00, 0x30, 0xe6, 0x42, 0xcf]).CopyTo(guest.MemoryAt(Handler, 7));
        guest.Cpu.InjectNmi();
        guest.Run().Port.Port.Should().Be(0x42);
        guest.Cpu.Events.NmiBlocked.Should().BeTrue();
        guest.Cpu.InjectNmi();
        guest.Cpu.Fulfill();

        guest.Run().Port.Port.Should().Be(0x42, "the second one comes when the first handler has returned");

        guest.MemoryAt(0x3000, 1)[0].Should().Be(2);
        guest.Cpu.GetRegister(RegisterName.Rsp).Should().Be(BackendGuest.StackTop - 6, "the two do not nest");
        guest.Cpu.Fulfill();
        guest.Run().Code.Should().Be(ExitCode.Hlt);
        guest.Cpu.Events.NmiBlocked.Should().BeFalse();
    }

    [Test]
    public void A_single_step_exits_after_one_instruction_and_in_the_handler_of_a_fault()
    {
        // nop; ud2
        using SoftwareGuest guest = SoftwareGuest.RealMode([0x90, 0x0f, 0x0b]);
        WriteVector(guest, 6, Handler);
        guest.Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);

        guest.Run().Code.Should().Be(ExitCode.MonitorTrap);
        guest.Exit.Rip.Should().Be(BackendGuest.CodeAddress + 1);
        guest.Run().Code.Should().Be(ExitCode.MonitorTrap);

        guest.Exit.Rip.Should().Be(Handler);
    }

    [Test]
    public void A_single_step_counts_an_instruction_that_was_answered()
    {
        // in al,0x42; nop
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xe4, 0x42, 0x90]);
        guest.Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        guest.Run().Code.Should().Be(ExitCode.Inout);
        guest.Cpu.Fulfill(7);

        guest.Run().Code.Should().Be(ExitCode.MonitorTrap);

        guest.Exit.Rip.Should().Be(BackendGuest.CodeAddress + 2);
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(7);
    }

    [Test]
    public void PAUSE_exits_where_that_is_asked_for()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf3, 0x90, 0xf4]); // pause; hlt
        guest.Cpu.SetCapability(VcpuCapability.PauseExit, true);

        guest.Run().Code.Should().Be(ExitCode.Pause);

        (guest.Exit.Rip + (ulong)guest.Exit.InstructionLength).Should().Be(BackendGuest.CodeAddress + 2);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void INT3_exits_in_front_of_itself_where_that_is_asked_for()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0x90, 0xcc, 0xf4]); // nop; int3; hlt
        guest.Cpu.SetCapability(VcpuCapability.BreakpointExit, true);

        guest.Run().Code.Should().Be(ExitCode.Breakpoint);

        guest.Exit.Debug.Pc.Should().Be(BackendGuest.CodeAddress + 1);
    }

    [TestCase(VcpuCapability.EnableInvpcid)]
    [TestCase(VcpuCapability.TrapWbinvd)]
    [TestCase(VcpuCapability.TraceExceptions)]
    public void A_capability_that_it_does_not_have_is_refused_by_name(VcpuCapability capability)
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);

        Action set = () => guest.Cpu.SetCapability(capability, true);

        set.ShouldFail(VmmError.ENOENT);
    }

    [Test]
    public void A_breakpoint_of_the_guest_on_execution_is_a_fault_in_front_of_the_instruction()
    {
        // nop; nop; hlt; handler of vector 1: out 0x42,al
        using SoftwareGuest guest = SoftwareGuest.RealMode([0x90, 0x90, 0xf4]);
        WriteVector(guest, 1, Handler);
        ((ReadOnlySpan<byte>)[0xe6, 0x42]).CopyTo(guest.MemoryAt(Handler, 2));
        guest.Cpu.SetRegister(RegisterName.Dr2, BackendGuest.CodeAddress + 1);
        guest.Cpu.SetRegister(RegisterName.Dr7, 0x400 | 1 << 4);

        guest.Run().Port.Port.Should().Be(0x42);

        (guest.Cpu.GetRegister(RegisterName.Dr6) & 0xf).Should().Be(4);
        BinaryPrimitives.ReadUInt16LittleEndian(guest.MemoryAt(BackendGuest.StackTop - 6, 2)).Should().Be(0x1001);
    }

    [Test]
    public void A_debuggers_breakpoint_exits_in_front_of_the_instruction_until_it_is_taken_away()
    {
        using SoftwareGuest guest = SoftwareGuest.LongMode([0x90, 0x90, 0xf4]); // nop; nop; hlt
        IBackendDebugging debugging = guest.Cpu.Should().BeAssignableTo<IBackendDebugging>().Subject;
        debugging.SetHardwareBreakpoints([new HardwareBreakpoint(new(BackendGuest.CodeAddress + 1), BreakpointKind.Execution, 1)]);

        guest.Run().Code.Should().Be(ExitCode.Breakpoint);
        guest.Exit.Debug.Pc.Should().Be(BackendGuest.CodeAddress + 1);
        guest.Run().Code.Should().Be(ExitCode.Breakpoint, "it is still there");
        debugging.SetHardwareBreakpoints([]);

        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void A_watchpoint_exits_behind_each_access()
    {
        // mov [0x20000],al; mov [0x20001],al; hlt
        using SoftwareGuest guest = SoftwareGuest.LongMode(
            [0x88, 0x04, 0x25, 0, 0, 2, 0, 0x88, 0x04, 0x25, 1, 0, 2, 0, 0xf4]);
        IBackendDebugging debugging = (IBackendDebugging)guest.Cpu;
        debugging.SetHardwareBreakpoints(
        [
            new HardwareBreakpoint(new(BackendGuest.CodeAddress), BreakpointKind.Write, 1),
            new HardwareBreakpoint(new(0x20000), BreakpointKind.Write, 2),
        ]);

        guest.Run().Code.Should().Be(ExitCode.Breakpoint);
        guest.Exit.Debug.Dr6.Should().Be(2);
        guest.Exit.Debug.Pc.Should().Be(BackendGuest.CodeAddress + 7);
        guest.Run().Code.Should().Be(ExitCode.Breakpoint);
        guest.Exit.Debug.Pc.Should().Be(BackendGuest.CodeAddress + 14);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void Read_only_memory_is_read_and_hands_writes_over()
    {
        // mov al,[0x200010]; mov [0x200020],al; hlt, in 64-bit mode
        using SoftwareGuest guest = SoftwareGuest.LongMode(
            [0x8a, 0x04, 0x25, 0x10, 0, 0x20, 0, 0x88, 0x04, 0x25, 0x20, 0, 0x20, 0, 0xf4]);
        using GuestMemoryBlock rom = guest.Backend.AllocateMemory(0x1000, default);
        rom.GetSpan(0x10, 1)[0] = 0x77;
        using IDisposable placement = guest.Vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(new(0x200000), 0x1000), rom, 0, ReadOnly: true, TrackDirty: false));

        guest.Run().Mmio.Should().Be(new MmioExit(new(0x200020), 1, false, 0x77));
        guest.Cpu.Fulfill();
        guest.Run().Code.Should().Be(ExitCode.Hlt);

        rom.GetSpan(0x20, 1)[0].Should().Be(0);
    }

    [Test]
    public void Memory_that_went_is_a_device_at_the_next_run()
    {
        // mov al,[0x200010]; hlt, twice
        using SoftwareGuest guest = SoftwareGuest.LongMode(
            [0x8a, 0x04, 0x25, 0x10, 0, 0x20, 0, 0xf4, 0x8a, 0x04, 0x25, 0x10, 0, 0x20, 0, 0xf4]);
        using GuestMemoryBlock block = guest.Backend.AllocateMemory(0x1000, default);
        using (guest.Vm.PlaceMemory(new MemoryPlacement(GuestPhysicalRange.Create(new(0x200000), 0x1000), block, 0, false, false)))
        {
            guest.Run().Code.Should().Be(ExitCode.Hlt);
        }

        guest.Run().Mmio.Address.Should().Be(new GuestPhysicalAddress(0x200010));
    }

    [Test]
    public void Overlapping_memory_is_refused()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);
        using GuestMemoryBlock block = guest.Backend.AllocateMemory(0x2000, default);

        Action place = () => guest.Vm.PlaceMemory(new MemoryPlacement(GuestPhysicalRange.Create(new(0x1ff000), 0x2000), block, 0, false, false));

        place.ShouldFail(VmmError.EEXIST);
    }

    [Test]
    public void A_hypercall_exits_and_goes_on_behind_itself_where_that_is_asked_for()
    {
        using SoftwareBackend backend = new();
        using IBackendVm vm = backend.CreateVm(new BackendVmOptions("hypercalls", 1, InterruptControllerMode.Userspace, false, true, true));
        using GuestMemoryBlock memory = backend.AllocateMemory(0x2000, default);
        using IDisposable placement = vm.PlaceMemory(new MemoryPlacement(GuestPhysicalRange.Create(default, 0x2000), memory, 0, false, false));
        using IBackendVcpu cpu = vm.CreateVcpu(new VcpuId(0));
        ((ReadOnlySpan<byte>)[0x0f, 0x01, 0xc1, 0xf4]).CopyTo(memory.GetSpan(0x1000, 4)); // vmcall; hlt
        cpu.SetRegister(RegisterName.Cs, 0);
        cpu.SetSegmentDescriptor(RegisterName.Cs, cpu.GetSegmentDescriptor(RegisterName.Cs) with { Base = 0 });
        cpu.SetRegister(RegisterName.Rip, 0x1000);
        cpu.SetRegister(RegisterName.Rax, 5);
        cpu.SetRegister(RegisterName.Rbx, 6);
        cpu.SetRegister(RegisterName.Rdx, 0);
        VmExit exit = default;
        cpu.Run(ref exit);
        exit.Hypercall.Should().Be(new HypercallExit(5, 6, 0, 0, 0, 0, IsLongMode: false));

        cpu.Fulfill(0x1234);
        cpu.Run(ref exit);

        exit.Code.Should().Be(ExitCode.Hlt);
        cpu.GetRegister(RegisterName.Rax).Should().Be(0x1234);
        cpu.GetRegister(RegisterName.Rip).Should().Be(0x1004);
    }

    [TestCase(InterruptControllerMode.Kernel)]
    [TestCase(InterruptControllerMode.Split)]
    public void Interrupt_controllers_of_a_hypervisor_are_refused_by_name(InterruptControllerMode mode)
    {
        using SoftwareBackend backend = new();

        Action create = () => backend.CreateVm(new BackendVmOptions("chips", 1, mode, false, false, false));

        create.Should().Throw<VmmException>().Where(refusal =>
            refusal.Error == VmmError.ENOTSUP && refusal.Message.Contains(mode.ToString()));
    }

    [Test]
    public void Written_pages_are_recorded_and_forgotten()
    {
        // mov [0x200010],al; mov [0x203000],al; hlt; mov [0x201000],al; hlt
        using SoftwareGuest guest = SoftwareGuest.LongMode(
            [0x88, 0x04, 0x25, 0x10, 0, 0x20, 0, 0x88, 0x04, 0x25, 0, 0x30, 0x20, 0, 0xf4, 0x88, 0x04, 0x25, 0, 0x10, 0x20, 0, 0xf4]);
        using GuestMemoryBlock block = guest.Backend.AllocateMemory(0x4000, default);
        using IDisposable placement = guest.Vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(new(0x200000), 0x4000), block, 0, ReadOnly: false, TrackDirty: true));
        IDirtyLog log = placement.Should().BeAssignableTo<IDirtyLog>().Subject;
        ulong[] bits = new ulong[1];
        guest.Run().Code.Should().Be(ExitCode.Hlt);
        log.Drain(0, 4, bits);
        bits[0].Should().Be(0b1001);

        guest.Run().Code.Should().Be(ExitCode.Hlt);
        bits[0] = 0;
        log.Drain(0, 4, bits);

        bits[0].Should().Be(0b0010);
    }

    private static void WriteVector(SoftwareGuest guest, int vector, ulong handler) =>
        BinaryPrimitives.WriteUInt32LittleEndian(guest.MemoryAt((ulong)vector * 4, 4), (uint)handler);

    private static void EnterProtectedMode(SoftwareGuest guest)
    {
        const ulong Gdt = 0x4000;
        const ulong Idt = 0x5000;
        IBackendVcpu cpu = guest.Cpu;
        BinaryPrimitives.WriteUInt64LittleEndian(guest.MemoryAt(Gdt + 8, 8), 0x00cf9b000000ffff);
        cpu.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor(Gdt, 15, default));
        cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(Idt, 0xff, default));
        cpu.SetRegister(RegisterName.Cr0, 0x11);
        cpu.SetRegister(RegisterName.Cs, 8);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc09b)));
        cpu.SetSegmentDescriptor(RegisterName.Ss, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc093)));
    }

    private static void WriteGate(SoftwareGuest guest, int vector, ulong handler) =>
        BinaryPrimitives.WriteUInt64LittleEndian(
            guest.MemoryAt(0x5000 + (ulong)(vector * 8), 8), 0x00008e0000080000 | handler);
}
