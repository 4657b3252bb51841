// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>Processors that start, interrupt and outlast each other through the engine's local APICs.</summary>
public sealed class MultiprocessorTests : ChipFixture
{
    private const uint CommandLow = 0x300;
    private const uint CommandHigh = 0x310;
    private const uint InitToOthers = 0xc4500;
    private const uint StartOthersAt8000 = 0xc4608;

    [Test]
    public void Interrupt_of_one_processor_reaches_another_one()
    {
        FakeVcpu first = StartEnabled();
        FakeVcpu second = StartEnabled(1);
        second.ThenSpin().ThenPause();
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default));
        Background.Until(() => second.IsInGuest);
        first.ThenMmioWrite(LocalApic + CommandHigh, 4, 1 << 24).ThenMmioWrite(LocalApic + CommandLow, 4, 0x4000 | Vector).ThenPause();

        Run();

        runner.Join();
        Vectors(second).Should().Equal(Vector);
        first.Delivered.Should().BeEmpty();
    }

    [Test]
    public void INIT_and_start_up_begin_execution_at_the_page_given()
    {
        FakeVcpu first = StartEnabled();
        CpuOf(1).Activate();
        FakeVcpu second = GuestOf(1);
        Machine.GetLocalApic(new VcpuId(1)).WriteMmio(0xf0, 4, Enabled);
        second.ThenPause();
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Pause));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);
        first.ThenMmioWrite(LocalApic + CommandLow, 4, InitToOthers).ThenMmioWrite(LocalApic + CommandLow, 4, StartOthersAt8000).ThenPause();

        Run();

        runner.Join();
        second.GetSegmentDescriptor(RegisterName.Cs).Base.Should().Be(0x8000);
        Machine.GetLocalApic(new VcpuId(1)).IsSoftwareEnabled.Should().BeFalse("INIT resets the local APIC");
    }

    [Test]
    public void Machine_with_a_processor_never_started_is_halted_when_the_other_is()
    {
        CpuOf(1).Activate();
        FakeVcpu first = Start();
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Suspended.Should().Be(SuspendReason.Halt));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        first.ThenHlt(interruptible: false);

        Run().Suspended.Should().Be(SuspendReason.Halt);

        runner.Join();
    }

    [Test]
    public void Machine_is_not_halted_while_a_start_up_is_on_its_way()
    {
        CpuOf(1).Activate();
        FakeVcpu first = Start();
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);
        using (CpuOf(1).Acquire())
        {
            // Its thread is out of the way: it cannot have come to the start-up before the other processor halts.
            runner.Join();
            Machine.GetLocalApic(default).WriteMmio(CommandLow, 4, InitToOthers);
            Machine.GetLocalApic(default).WriteMmio(CommandLow, 4, StartOthersAt8000);
            first.ThenHlt(interruptible: false);
            Background halted = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
            Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

            Machine.SuspendReason.Should().Be(SuspendReason.None);
            Cpu.RequestYield();
            halted.Join();
        }
    }
}
