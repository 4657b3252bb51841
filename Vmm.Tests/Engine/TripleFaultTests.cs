// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Faults;

namespace Vmm.Tests.Engine;

/// <summary>What the engine says of a triple fault whatever the vCPU shows.</summary>
public sealed class TripleFaultTests : EngineFixture
{
    [Test]
    public void Event_that_met_an_exception_during_a_double_fault_is_the_chain()
    {
        Start();
        Cpu.SetExitEvent(EventInformation.Create(EventType.HardwareException, (byte)ExceptionVector.DoubleFault, 0));
        Cpu.Inject(GuestException.PageFault(2, new(0x1234)));

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        TripleFaultReport report = Machine.TripleFault!;
        report.Origin.Should().Be(TripleFaultOrigin.Seen);
        report.Chain.Select(step => step.ToString()).Should().Equal("#DF(0x0)", "#PF at 0x1234");
        report.Gates.Should().ContainSingle(gate => gate.Vector == 8);
    }

    [Test]
    public void State_after_an_INIT_is_said_to_be_one()
    {
        Start().ThenExit(ExitCode.Shutdown);
        Cpu.Reset(initOnly: true);

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        Machine.TripleFault!.Origin.Should().Be(TripleFaultOrigin.Unknown);
        Machine.TripleFault.Remark.Should().Contain("after an INIT");
        Machine.TripleFault.Chain.Should().BeEmpty();
    }

    [Test]
    public void Shutdown_that_nothing_leads_to_again_is_said_to_be_one()
    {
        Map(0, Page);
        Start().ThenExit(ExitCode.Shutdown);
        Machine.Memory.TryWrite(At(0x100), [0x90]).Should().BeTrue();
        BeginAt(0x100);

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        Machine.TripleFault!.Origin.Should().Be(TripleFaultOrigin.Unknown);
        Machine.TripleFault.Remark.Should().Contain("leads there again");
        Machine.TripleFault.Code[0].Should().Be(0x90);
    }

    [Test]
    public void Event_that_the_hypervisor_shows_is_delivered_again()
    {
        Map(0, Page);
        FakeVcpuEvents(EventInformation.Create(EventType.SoftwareInterrupt, 0x21));
        BeginAt(0x100);
        Machine.Memory.TryWrite(At(0x100), [0x90]).Should().BeTrue();
        Cpu.SetRegister(RegisterName.Cr0, 1);

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        Machine.TripleFault!.Origin.Should().Be(TripleFaultOrigin.Rehearsed, Machine.TripleFault.ToString());
        Machine.TripleFault.Chain[0].ToString().Should().Be("INT 0x21");
    }

    [Test]
    public void Embedders_own_suspension_has_no_report()
    {
        Start();
        Machine.Suspend(SuspendReason.TripleFault);

        Machine.TripleFault.Should().BeNull();
    }

    [Test]
    public void Whatever_the_vCPU_shows_nothing_is_thrown()
    {
        Map(0, 4 * Page);
        Random random = new(7);
        byte[] memory = new byte[4 * Page];
        for (int i = 0; i < 400; i++)
        {
            random.NextBytes(memory);
            Machine.Memory.TryWrite(At(0), memory).Should().BeTrue();
            Start().ThenExit(ExitCode.Shutdown);
            Randomize(random);

            Run().Suspended.Should().Be(SuspendReason.TripleFault);

            Machine.TripleFault.Should().NotBeNull();
            Machine.TripleFault!.ToString().Should().NotBeEmpty();
            using IVcpuFreeze freeze = Machine.FreezeVcpus();
            Machine.Reinitialize(freeze);
        }
    }

    private void BeginAt(ulong rip)
    {
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        Cpu.SetRegister(RegisterName.Rip, rip);
    }

    private void FakeVcpuEvents(EventInformation injected)
    {
        Start().Then((Support.FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.Events = vcpu.Events with { Injected = injected };
            exit.Set(ExitCode.Shutdown, 0x100);
        });
    }

    /// <summary>Any state: addresses within memory as often as outside, every mode.</summary>
    private void Randomize(Random random)
    {
        ReadOnlySpan<RegisterName> registers =
            [RegisterName.Rip, RegisterName.Rsp, RegisterName.Rax, RegisterName.Rsi, RegisterName.Rdi, RegisterName.Cr2, RegisterName.Cr3];
        foreach (RegisterName register in registers)
        {
            Cpu.SetRegister(register, Address(random));
        }

        Cpu.SetRegister(RegisterName.Cr0, (ulong)random.NextInt64() & 0xe005003f);
        Cpu.SetRegister(RegisterName.Cr4, (ulong)random.NextInt64() & 0x3fffff);
        Cpu.SetRegister(RegisterName.Efer, (ulong)random.NextInt64() & 0xd01);
        for (RegisterName segment = RegisterName.Es; segment <= RegisterName.Gdtr; segment++)
        {
            Cpu.SetSegmentDescriptor(
                segment, new SegmentDescriptor(Address(random), (uint)random.NextInt64(), new SegmentAccess((uint)random.NextInt64() & 0x1ffff)));
        }
    }

    private static ulong Address(Random random) => random.Next(3) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => (ulong)random.NextInt64(long.MinValue, 0),
        _ => (ulong)random.NextInt64((long)(4 * Page)),
    };
}
