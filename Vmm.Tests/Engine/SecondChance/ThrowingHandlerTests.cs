// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Engine;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Engine.SecondChance;

/// <summary>Handlers that throw, or that wait, inside a batch that the engine executes.</summary>
public sealed class ThrowingHandlerTests
{
    private const ulong Counter = LongModeMachine.Data;
    private const ulong Device = 0xd0000000;
    private const ushort Port = 0x80;

    /// <summary>Memory ends here, and a device begins.</summary>
    private const ulong Edge = LongModeMachine.MemoryLength;

    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    [TearDown]
    public void DisposeGuest() => _guest?.Dispose();

    [Test]
    public void What_a_batch_did_before_a_handler_threw_stays_done_and_the_access_waits(
        [Values] bool carries, [Values] AccessKind kind)
    {
        _guest = CarriedGuest.Create(carries);
        Thrower device = new() { Failures = 1 };
        Attach(device);
        Guest.Assemble(a =>
        {
            a.inc(__qword_ptr[Counter]);
            a.mov(rbx, Device);
            a.mov(edx, Port);
            a.mov(eax, 0x55);
            Access(a, kind);
        });
        ulong at = Guest.Cpu.GetRegister(RegisterName.Rip);

        Invoking(() => Guest.Run()).Should().Throw<DeviceFailureException>().Which.StackTrace.Should().Contain(nameof(Thrower));

        Guest.Cpu.Pending.Should().Be(PendingOperation.Exit);
        Guest.Cpu.GetRegister(RegisterName.Rip).Should().BeGreaterThan(at);
        Guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x55);
        VmExit exit = Guest.Run();
        device.Calls.Should().Be(1, "the same exit comes again and nobody is asked");
        bool isPort = kind is AccessKind.PortIn or AccessKind.PortOut;
        exit.Code.Should().Be(isPort ? ExitCode.Inout : ExitCode.Mmio);
        exit.Rip.Should().Be(Guest.Cpu.GetRegister(RegisterName.Rip));
        VmExit end = Guest.Run(isPort ? VmEntry.FulfillPort(exit.Port, 7) : VmEntry.FulfillMmio(exit.Mmio, 7));
        end.Port.Port.Should().Be(LongModeMachine.EndPort, end.ToString());
        device.Calls.Should().Be(1);
        Guest.Read64(Counter).Should().Be(1);
        ulong expected = kind is AccessKind.MemoryRead or AccessKind.PortIn ? 7ul : 0x55;
        Guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(expected);
    }

    [Test]
    public void What_one_access_of_an_instruction_did_is_not_done_again_when_the_next_one_throws([Values] bool carries)
    {
        _guest = CarriedGuest.Create(carries);
        FakeMmio source = new() { Value = 0xc3 };
        Thrower target = new() { Failures = 1 };
        Attach(target);
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device + 0x1000), 0x1000), source);
        Guest.Assemble(a =>
        {
            a.nop();
            a.mov(rsi, Device + 0x1000);
            a.mov(rdi, Device);
            a.movsb();
        });
        Invoking(() => Guest.Run()).Should().Throw<DeviceFailureException>();
        VmExit exit = Guest.Run();
        exit.Mmio.Should().Be(new MmioExit(new(Device), 1, false, 0xc3));

        Guest.Run(VmEntry.FulfillMmio(exit.Mmio)).Code.Should().Be(ExitCode.Inout);

        source.Accesses.Should().ContainSingle();
        Guest.Cpu.GetRegister(RegisterName.Rdi).Should().Be(Device + 1);
    }

    [Test]
    public void A_handler_that_throws_while_an_event_is_delivered_is_not_asked_again()
    {
        const ulong Stack = Device + 0x1000;
        _guest = CarriedGuest.Create(carries: false);
        Thrower device = new() { Failures = 1 };
        Attach(device);
        Guest.Assemble(a => a.nop());
        Guest.Cpu.SetRegister(RegisterName.Rsp, Stack);
        CarriedGuest.Of(Guest).Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.CutDelivery(EventInformation.Create(EventType.HardwareInterrupt, 0x20));
            exit.SetInstructionEmulation(new InstructionEmulationExit([0x90], 1, 1), LongModeMachine.Code);
        });
        Invoking(() => Guest.Run()).Should().Throw<DeviceFailureException>();
        Guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(LongModeMachine.Code);
        VmExit exit = Guest.Run();
        exit.Code.Should().Be(ExitCode.Mmio, exit.ToString());

        VmExit end = Guest.Run(VmEntry.FulfillMmio(exit.Mmio));

        end.Port.Should().Be(new PortExit(LongModeMachine.FaultPort, 1, PortFlags.None, 1, 0x20));
        device.Written.Select(write => write.Offset).Should().OnlyHaveUniqueItems();
        device.Calls.Should().Be(5, "SS, RSP, RFLAGS, CS and RIP are pushed, and one of them nobody took");
    }

    [Test]
    public void A_locked_access_across_pages_whose_handler_throws_stops_no_other_vCPU()
    {
        _guest = CarriedGuest.Create(cpus: 2);
        Thrower device = new() { Failures = 1 };
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Edge), 0x1000), device);
        Guest.Assemble(a => LockedAdd(a, Edge));
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            LockedAdd(a, Counter + 0x1000);
            LongModeMachine.End(a);
        });
        Invoking(() => Guest.Run()).Should().Throw<DeviceFailureException>();
        VirtualCpu other = Guest.Machine.GetVcpu(new VcpuId(1));

        Background run = Background.Start(() => other.Run(VmEntry.Default).Code.Should().Be(ExitCode.Inout));

        run.Join();
        Guest.Read64(Counter + 0xffc).Should().Be(1);
    }

    [TestCase(Device, TestName = "A_handler_may_wait_for_a_vCPU_that_wants_memory_to_itself")]
    [TestCase(Edge - 4, TestName = "A_handler_of_a_locked_access_may_wait_for_a_vCPU_that_wants_memory_to_itself")]
    public void A_handler_may_wait(ulong address)
    {
        _guest = CarriedGuest.Create(cpus: 2);
        VirtualCpu other = Guest.Machine.GetVcpu(new VcpuId(1));
        Thrower device = new()
        {
            During = () => Background.Start(() => other.Run(VmEntry.Default).Code.Should().Be(ExitCode.Inout)).Join(),
        };
        Attach(device);
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Edge), 0x1000), device);
        Guest.Assemble(a =>
        {
            a.mov(rbx, address);
            a.mov(ecx, 1);
            a.@lock.xadd(__qword_ptr[rbx], rcx);
        });
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            LockedAdd(a, Counter + 0x1000);
            LongModeMachine.End(a);
        });

        Guest.RunToEnd();

        Guest.Read64(Counter + 0xffc).Should().Be(1);
        device.Written.Should().NotBeEmpty();
    }

    private void Attach(Thrower device)
    {
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device), 0x1000), device);
        Guest.Machine.Ports.Attach(Port, device);
    }

    private static void Access(Assembler a, AccessKind kind)
    {
        switch (kind)
        {
            case AccessKind.MemoryRead:
                a.mov(eax, __dword_ptr[rbx]);
                break;
            case AccessKind.MemoryWrite:
                a.mov(__dword_ptr[rbx], eax);
                break;
            case AccessKind.PortIn:
                a.@in(eax, dx);
                break;
            default:
                a.@out(dx, eax);
                break;
        }
    }

    /// <summary>Adds 1 to the eight bytes of which four lie on each side of an address.</summary>
    private static void LockedAdd(Assembler a, ulong boundary)
    {
        a.mov(rbx, boundary - 4);
        a.mov(ecx, 1);
        a.@lock.xadd(__qword_ptr[rbx], rcx);
    }

    private static Action Invoking(Func<VmExit> run) => () => run();

    private sealed class DeviceFailureException : Exception;

    /// <summary>A device that throws at its first accesses.</summary>
    private sealed class Thrower : IMmioHandler, IPortHandler
    {
        public int Failures { get; set; }

        public int Calls { get; private set; }

        /// <summary>Runs inside the first access.</summary>
        public Action? During { get; set; }

        public List<(ulong Offset, ulong Value)> Written { get; } = [];

        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
        {
            Access();
            return 0;
        }

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
        {
            Access();
            Written.Add((offset, value));
        }

        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            Access();
            return PortOutcome.Handled;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            Access();
            return PortOutcome.Handled;
        }

        private void Access()
        {
            Calls++;
            if (Failures-- > 0)
            {
                throw new DeviceFailureException();
            }

            Action? during = During;
            During = null;
            during?.Invoke();
        }
    }
}
