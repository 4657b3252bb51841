// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Machine.Board;
using Vmm.Machine.Boot;
using Vmm.Machine.Devices;
using Vmm.Tests.Machine.Boot;
using Vmm.Tests.Support;

namespace Vmm.Tests.Machine.Board;

/// <summary>Guests of a few bytes on a whole PC, in real mode at 0x7c00 unless said otherwise.</summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
public sealed class PcMachineTests(string kind)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private IHypervisorBackend? _backend;

    [OneTimeSetUp]
    public void OpenBackend() => _backend = Backends.Open(kind);

    [OneTimeTearDown]
    public void CloseBackend() => _backend?.Dispose();

    [Test]
    public void Write_of_sleep_enable_powers_off()
    {
        // mov dx, 0x604 / mov ax, 0x2000 / out dx, ax
        MachineResult result = Run([0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]);

        result.End.Should().Be(MachineEnd.PowerOff);
        result.Vcpu.Should().Be(new VcpuId(0));
        result.Vcpus.Should().ContainSingle().Which.Registers.Rdx.Should().Be(0x604);
    }

    [Test]
    public void Byte_write_to_the_upper_half_of_the_power_register_powers_off() =>
        Run([0xba, 0x05, 0x06, 0xb0, 0x20, 0xee]).End.Should().Be(MachineEnd.PowerOff, "mov dx, 0x605 / mov al, 0x20 / out dx, al");

    [Test]
    public void Reset_control_register_resets() =>
        Run([0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee]).End.Should().Be(MachineEnd.Reset, "mov dx, 0xcf9 / mov al, 6 / out dx, al");

    [Test]
    public void Reset_control_register_without_the_reset_bit_does_not_reset() =>
        Run([0xba, 0xf9, 0x0c, 0xb0, 0x02, 0xee, 0xe6, 0xf4]).End.Should().Be(MachineEnd.DebugExit, "... / out 0xf4, al");

    [Test]
    public void Keyboard_controller_pulses_reset() =>
        Run([0xb0, 0xfe, 0xe6, 0x64]).End.Should().Be(MachineEnd.Reset, "mov al, 0xfe / out 0x64, al");

    [Test]
    public void Keyboard_controllers_input_buffer_is_empty()
    {
        // in al, 0x64 / out 0xf4, al
        MachineResult result = Run([0xe4, 0x64, 0xe6, 0xf4]);

        result.DebugExitCode.Should().Be(IsaDebugExit.ExitCode(0xfd));
    }

    [Test]
    public void Debug_exit_carries_its_code()
    {
        // mov al, 5 / out 0xf4, al
        MachineResult result = Run([0xb0, 0x05, 0xe6, 0xf4]);

        result.End.Should().Be(MachineEnd.DebugExit);
        result.DebugExitCode.Should().Be(11);
    }

    [Test]
    public void Halt_with_interrupts_disabled_is_found()
    {
        // cli / hlt
        MachineResult result = Run([0xfa, 0xf4]);

        result.End.Should().Be(MachineEnd.Halt);
        result.Vcpus[0].Registers.Rip.Should().Be(0x7c02);
        result.Instruction.Should().BeNull();
    }

    [Test]
    public void Fault_without_a_handler_is_a_triple_fault()
    {
        // ud2, in 64-bit mode over an empty interrupt table
        MachineResult result = Run([0x0f, 0x0b], longMode: true);

        result.End.Should().Be(MachineEnd.TripleFault);
        result.Vcpus[0].Bitness.Should().Be(64);
    }

    [Test]
    public void Guest_that_never_ends_times_out()
    {
        // jmp $
        MachineResult result = Run([0xeb, 0xfe], Options() with { Timeout = TimeSpan.FromMilliseconds(50) });

        result.End.Should().Be(MachineEnd.Timeout);
        result.Instruction!.Mnemonic.Should().Be("jmp");
        result.Instruction.Address.Should().Be(0x7c00);
    }

    [Test]
    public void Registers_that_reach_the_process_are_reported_with_who_answered()
    {
        // mov ecx,0xfe / rdmsr / mov ecx,0x3b4d0000 / rdmsr / cli / hlt
        MachineResult result = Run(
            [0x66, 0xb9, 0xfe, 0, 0, 0, 0x0f, 0x32, 0x66, 0xb9, 0, 0, 0x4d, 0x3b, 0x0f, 0x32, 0xfa, 0xf4],
            Options() with { UnclaimedMsr = UnclaimedMsr.ReadZeroIgnoreWrite, MsrExposure = new MsrExposurePolicy(MsrExposure.AllBut, [new MsrSelection(new MsrIndex(0xfe), new MsrIndex(0xfe))]) });

        result.End.Should().Be(MachineEnd.Halt);
        result.Msrs!.Accesses.Should().Equal(
            new MsrAccessCount(new MsrIndex(0xfe), MsrAnswer.Ours, 1, 0),
            new MsrAccessCount(new MsrIndex(0x3b4d0000), MsrAnswer.Policy, 1, 0));
        result.Msrs.Others.Should().Be(0);
    }

    [Test]
    public void Guest_ends_at_a_register_that_nobody_has_when_its_owner_wants_to_be_asked()
    {
        // mov ecx,0x3b4d0000 / rdmsr
        MachineResult result = Run(
            [0x66, 0xb9, 0, 0, 0x4d, 0x3b, 0x0f, 0x32], Options() with { UnclaimedMsr = UnclaimedMsr.Exit });

        result.End.Should().Be(MachineEnd.UnansweredMsr);
        result.Detail.Should().Be("the guest reads register 0x3b4d0000, which nobody answers for");
        result.Msrs!.Accesses.Should().ContainSingle().Which.Answer.Should().Be(MsrAnswer.Embedder);
    }

    [Test]
    public void Guest_is_stopped_by_its_embedder()
    {
        using CancellationTokenSource source = new();
        using PcMachine machine = Create(Options());

        // out 0x80, al / jmp $
        machine.LoadFlat(new byte[] { 0xe6, 0x80, 0xeb, 0xfe }, new GuestPhysicalAddress(0x7c00), longMode: false);
        machine.Machine.Ports.Attach(0x80, new ActingPort(source.Cancel));

        machine.Run(source.Token).End.Should().Be(MachineEnd.Stopped);
    }

    [Test]
    public void Machine_that_is_stopped_before_it_runs_ends_at_once()
    {
        using PcMachine machine = Create(Options());
        machine.LoadFlat(new byte[] { 0xeb, 0xfe }, new GuestPhysicalAddress(0x7c00), longMode: false);
        machine.Stop("not wanted");

        MachineResult result = machine.Run();

        result.End.Should().Be(MachineEnd.Stopped);
        result.Detail.Should().Be("not wanted");
    }

    [Test]
    public void What_a_device_throws_ends_the_machine_and_is_reported()
    {
        InvalidOperationException thrown = new("from a device");
        using PcMachine machine = Create(Options());
        machine.LoadFlat(new byte[] { 0xe6, 0x80, 0xeb, 0xfe }, new GuestPhysicalAddress(0x7c00), longMode: false);
        machine.Machine.Ports.Attach(0x80, new ActingPort(() => throw thrown));

        MachineResult result = machine.Run();

        result.End.Should().Be(MachineEnd.HostError);
        result.Error.Should().BeSameAs(thrown);
        result.Vcpu.Should().Be(new VcpuId(0));
    }

    [Test]
    public void Serial_output_reaches_the_console()
    {
        Collector console = new();

        // mov dx, 0x3f8 / mov al, 'A' / out dx, al / out 0xf4, al
        Run([0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xe6, 0xf4], Options() with { Console = console });

        console.Bytes.Should().Equal((byte)'A');
    }

    [Test]
    public void Unclaimed_ports_read_all_ones_and_are_counted()
    {
        // mov dx, 0x1234 / in al, dx / out 0xf4, al
        MachineResult result = Run([0xba, 0x34, 0x12, 0xec, 0xe6, 0xf4]);

        result.DebugExitCode.Should().Be(IsaDebugExit.ExitCode(0xff));
        result.Vcpus[0].Counters.UnclaimedPorts.Should().Be(1);
    }

    [Test]
    public void Instruction_that_the_interpreter_lacks_is_named()
    {
        if (_backend!.Description.Virtualization != HostVirtualization.Pvm)
        {
            Assert.Ignore("only a PVM host interprets kernel-mode code; here the processor executes popcnt");
        }

        // popcnt eax, ecx
        MachineResult result = Run([0xf3, 0x0f, 0xb8, 0xc1], Options() with { SecondChance = false }, longMode: true);

        result.End.Should().Be(MachineEnd.EmulationFailure);
        result.Instruction!.Mnemonic.Should().Be("popcnt");
        result.Instruction.Address.Should().Be(0x10_0000);
        result.Instruction.Length.Should().Be(4);
    }

    [Test]
    public void Processors_that_are_not_started_do_not_keep_a_machine_from_ending()
    {
        MachineResult result = Run([0xe6, 0xf4], Options() with { Cpus = 3 });

        result.End.Should().Be(MachineEnd.DebugExit);
        result.Vcpus.Should().HaveCount(3);
    }

    [Test]
    public void Feature_that_is_taken_away_is_not_seen()
    {
        CpuModelOf("host,-cx16", out Vmm.Emulation.Cpuid.CpuModel model);

        // mov eax, 1 / cpuid / shr ecx, 13 / and cl, 1 / mov al, cl / out 0xf4, al
        byte[] code =
            [0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0x66, 0xc1, 0xe9, 13, 0x80, 0xe1, 1, 0x88, 0xc8, 0xe6, 0xf4];

        Run(code).DebugExitCode.Should().Be(IsaDebugExit.ExitCode(1));
        Run(code, Options() with { CpuModel = model }).DebugExitCode.Should().Be(IsaDebugExit.ExitCode(0));
    }

    [TestCase(InterruptControllerMode.Kernel)]
    [TestCase(InterruptControllerMode.Split)]
    [TestCase(InterruptControllerMode.Userspace)]
    public void Chips_are_where_the_tables_say(InterruptControllerMode mode)
    {
        Backends.Require(kind, mode);

        // mov dx, 0x604 / in ax, dx / out 0xf4, al
        Run([0xba, 0x04, 0x06, 0xed, 0xe6, 0xf4], Options() with { InterruptControllerMode = mode })
            .DebugExitCode.Should().Be(IsaDebugExit.ExitCode(1), "SCI_EN is set");

        // mov dx, 0x608 / in eax, dx / mov ebx, eax / again: in eax, dx / cmp eax, ebx / je again / mov al, 3 / out 0xf4, al
        Run(
            [0xba, 0x08, 0x06, 0x66, 0xed, 0x66, 0x89, 0xc3, 0x66, 0xed, 0x66, 0x39, 0xd8, 0x74, 0xf9, 0xb0, 0x03, 0xe6, 0xf4],
            Options() with { InterruptControllerMode = mode })
            .DebugExitCode.Should().Be(IsaDebugExit.ExitCode(3), "the power-management timer counts");

        // mov al, 0x32 / out 0x70, al / in al, 0x71 / out 0xf4, al
        Run([0xb0, 0x32, 0xe6, 0x70, 0xe4, 0x71, 0xe6, 0xf4], Options() with { InterruptControllerMode = mode })
            .DebugExitCode.Should().Be(IsaDebugExit.ExitCode(0x20), "the century of the host's time in BCD");
    }

    /// <summary>What a guest writes to PM1a_EN, at each width; all ones come back as the bits of events that exist.</summary>
    [Test]
    public void Enable_bits_of_the_fixed_events_keep_what_is_written()
    {
        // mov dx, 0x602 / mov ax, 0xffff / out dx, ax / mov dx, 0x600 / in eax, dx / shr eax, 16 / cmp ax, 0x721 / jne fail
        // mov dx, 0x603 / mov al, 1 / out dx, al / mov dx, 0x602 / in ax, dx / cmp ax, 0x121 / jne fail
        // mov dx, 0x600 / mov eax, 0x00200000 / out dx, eax / mov dx, 0x603 / in al, dx / mov ah, al / dec dx / in al, dx / cmp ax, 0x20 / jne fail
        // mov al, 1 / out 0xf4, al / fail: mov al, 2 / out 0xf4, al
        Run(
            [
                0xba, 0x02, 0x06, 0xb8, 0xff, 0xff, 0xef, 0xba, 0x00, 0x06, 0x66, 0xed, 0x66, 0xc1, 0xe8, 16, 0x3d, 0x21, 0x07, 0x75, 0x2d,
                0xba, 0x03, 0x06, 0xb0, 1, 0xee, 0xba, 0x02, 0x06, 0xed, 0x3d, 0x21, 0x01, 0x75, 0x1e,
                0xba, 0x00, 0x06, 0x66, 0xb8, 0, 0, 0x20, 0, 0x66, 0xef, 0xba, 0x03, 0x06, 0xec, 0x88, 0xc4, 0x4a, 0xec, 0x3d, 0x20, 0, 0x75, 6,
                0xb0, 1, 0xe6, 0xf4, 0xeb, 0xfe, 0xb0, 2, 0xe6, 0xf4,
            ])
            .DebugExitCode.Should().Be(IsaDebugExit.ExitCode(1));
    }

    [TestCase(InterruptControllerMode.Kernel)]
    [TestCase(InterruptControllerMode.Userspace)]
    public void Linux_gets_ACPI_tables(InterruptControllerMode mode)
    {
        Backends.Require(kind, mode);
        using PcMachine machine = PcMachine.Create(
            _backend!, Options() with { InterruptControllerMode = mode, Cpus = 2, MemorySize = 32 << 20 });
        machine.LoadLinux(new LinuxBootOptions { Kernel = KernelImages.Sample });

        byte[] pointer = new byte[8];
        machine.Machine.Memory.TryRead(new GuestPhysicalAddress(AcpiTables.DefaultAddress), pointer).Should().BeTrue();
        pointer.Should().Equal("RSD PTR "u8.ToArray());
        byte[] parameter = new byte[8];
        machine.Machine.Memory.TryRead(new GuestPhysicalAddress(0x7070), parameter).Should().BeTrue();
        BitConverter.ToUInt64(parameter).Should().Be(AcpiTables.DefaultAddress, "boot_params names them");
    }

    [TestCase(0)]
    [TestCase(255)]
    public void Processors_out_of_range_are_refused(int cpus)
    {
        Action create = () => Create(Options() with { Cpus = cpus }).Dispose();

        create.Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
    }

    [Test]
    public void Memory_out_of_range_is_refused()
    {
        Action create = () => PcMachine.Create(_backend!, Options() with { MemorySize = 4097 }).Dispose();

        create.Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
    }

    [Test]
    public void Machine_without_an_image_does_not_run()
    {
        using PcMachine machine = Create(Options());

        machine.Invoking(pc => pc.Run()).Should().Throw<InvalidOperationException>();
    }

    [Test]
    public void Machine_has_RAM_above_4_GiB_when_it_does_not_fit_below()
    {
        using PcMachine machine = PcMachine.Create(_backend!, Options() with { MemorySize = 4ul << 30 });

        machine.Machine.Memory.TryWrite(new GuestPhysicalAddress(0x1_0000_0000), [1, 2, 3]).Should().BeTrue();
        machine.Machine.Memory.TryWrite(new GuestPhysicalAddress(0xc000_0000), [1]).Should().BeFalse("that is the hole");
    }

    private static void CpuModelOf(string text, out Vmm.Emulation.Cpuid.CpuModel model)
    {
        Vmm.Emulation.Cpuid.CpuModel.TryParse(text, out Vmm.Emulation.Cpuid.CpuModel? parsed, out string? problem)
            .Should().BeTrue(problem);
        model = parsed!;
    }

    private PcOptions Options() => new() { InterruptControllerMode = Backends.DefaultMode(kind) };

    private PcMachine Create(PcOptions options) => PcMachine.Create(_backend!, options with
    {
        MemorySize = 4 << 20,
        Timeout = options.Timeout ?? s_patience,
    });

    private MachineResult Run(byte[] code, PcOptions? options = null, bool longMode = false)
    {
        using PcMachine machine = Create(options ?? Options());
        machine.LoadFlat(code, new GuestPhysicalAddress(longMode ? 0x10_0000ul : 0x7c00), longMode);
        return machine.Run();
    }

    private sealed class ActingPort(Action act) : IPortHandler
    {
        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Unclaimed;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            act();
            return PortOutcome.Handled;
        }
    }

    private sealed class Collector : IConsoleSink
    {
        public List<byte> Bytes { get; } = [];

        public void Write(ReadOnlySpan<byte> data) => Bytes.AddRange(data);
    }
}
