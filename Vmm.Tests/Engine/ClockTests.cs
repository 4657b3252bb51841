// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>What the engine does with the time that a hypervisor keeps by itself.</summary>
public sealed class ClockTests : EngineFixture
{
    private FakeVm BackendVm => (FakeVm)Machine.BackendVm;

    [Test]
    public void Paravirtual_clock_goes_on_behind_a_pause_where_it_stopped_and_the_guest_is_told()
    {
        Start();
        BackendVm.Clock = 1_000;
        Pause();
        BackendVm.Clock = 5_000_000;
        Guest.PausesTold.Should().Be(0);

        Resume();

        BackendVm.Clock.Should().Be(1_000);
        Guest.PausesTold.Should().Be(1);
    }

    [Test]
    public void Reinitialization_of_a_paused_VM_begins_a_new_clock_that_stands_too()
    {
        BackendVm.Clock = 1_000;
        Pause();
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Reinitialize(freeze);
        }

        BackendVm.Clock = 77;
        Resume();

        BackendVm.Clock.Should().Be(77, "the clock of the VM before is nobody's any more");
        Machine.IsPaused.Should().BeFalse();
    }

    [Test]
    public void Host_without_a_clock_pauses_all_the_same()
    {
        Start();
        Pause();
        Resume();

        BackendVm.Clock.Should().BeNull();
        Guest.PausesTold.Should().Be(0);
    }

    [TestCase(true, 0)]
    [TestCase(false, 1)]
    public void Counter_that_is_the_hosts_is_warned_of_by_name_once_a_VM(bool takes, int warnings)
    {
        Backend.TakesTscOffset = takes;
        RecordingLog log = new();
        Use(new VirtualMachineFactory(Backend, log.Logger).Create(Options("clocked")));

        Start(0);
        Start(1);

        log.Warnings.Should().HaveCount(warnings);
        log.Warnings.Count(text => text.Contains("clocked") && text.Contains("IA32_TSC")).Should().Be(warnings);
    }

    private void Pause()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Pause(freeze);
    }

    private void Resume()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Resume(freeze);
    }
}
