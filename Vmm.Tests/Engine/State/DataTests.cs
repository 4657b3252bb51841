// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.State;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.State;

/// <summary>State by class where a script decides what the hypervisor has and lets be changed.</summary>
public sealed class DataTests : EngineFixture
{
    private const uint LongStar = 0xc000_0082;
    private const uint TimeStampCounter = 0x10;
    private const uint TscBootOffset = 1;
    private const uint BootTime = 2;
    private const ulong Began = 0xffff_f000_0000_0000;

    [Test]
    [Proves("vmm_data_read")]
    public void Listed_registers_are_bhyves_in_its_order()
    {
        byte[] data = Use(Options() with { EngineMsrs = true }).ReadAll(VmmDataClass.Msr, 0);

        DataExchange.Fields(data).Keys.Should().Equal(
        [
            0xc000_0080, 0xc000_0102, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0x174, 0x175, 0x176, 0x277, 0xfe, 0x2ff,
            0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, 0x258, 0x259, 0x250,
            .. Enumerable.Range(0x200, 20).Select(number => (uint)number),
        ]);
    }

    [Test]
    [Proves("vmm_data_write")]
    public void Written_register_is_the_hypervisors()
    {
        Machine.WriteFields(VmmDataClass.Msr, 0, (LongStar, 0x1234)).Error.Should().Be(VmmError.None);

        Guest.TryGetMsr(new(LongStar), out ulong value).Should().BeTrue();
        value.Should().Be(0x1234);
    }

    [TestCase(InterruptControllerMode.Userspace, 3)]
    [TestCase(InterruptControllerMode.Split, 4)]
    [TestCase(InterruptControllerMode.Kernel, 7)]
    public void VM_without_the_engines_chips_lists_what_the_hypervisor_has(InterruptControllerMode mode, int classes)
    {
        Use(Options() with { InterruptControllerMode = mode });

        VmmDataVersionEntry[] versions = Machine.ReadVersions();

        versions.Should().HaveCount(classes).And.NotContain(entry => entry.DataClass == VmmDataClass.Hpet);
        Machine.Read(VmmDataClass.Hpet, null, new byte[288]).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Time_stamp_counter_that_the_hypervisor_does_not_tell_of_is_left_out()
    {
        Machine.ReadFields(VmmDataClass.Msr, 0).Keys.Should().NotContain(TimeStampCounter);
        Machine.ReadFields(VmmDataClass.VmmArch, null).Keys.Should().NotContain(TscBootOffset);
        Machine.WriteFields(VmmDataClass.Msr, 0, (TimeStampCounter, 0)).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Counter_that_the_guest_wrote_is_told_apart_from_where_all_began()
    {
        Backend.TscOffset = Began;
        Start(0);
        Start(1).TscOffset = Began + 100;

        Machine.ReadFields(VmmDataClass.Msr, 1)[TimeStampCounter].Should().Be(100);
        Machine.ReadFields(VmmDataClass.VmmArch, null)[TscBootOffset].Should().Be(Began);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscBootOffset, 7)).Error.Should().Be(VmmError.None);

        (GuestOf(0).TscOffset, GuestOf(1).TscOffset).Should().Be((7, 107));
    }

    [Test]
    public void Vcpu_that_is_made_after_the_beginning_was_moved_begins_there_too()
    {
        Backend.TscOffset = Began;
        Start(0);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscBootOffset, 7)).Error.Should().Be(VmmError.None);

        Start(1).TscOffset.Should().Be(7);
        Machine.ReadFields(VmmDataClass.Msr, 1)[TimeStampCounter].Should().Be(0);
        Reinitialize();
        Start(0).TscOffset.Should().Be(Began, "the hypervisor's new VM counts anew");
        Machine.ReadFields(VmmDataClass.VmmArch, null)[TscBootOffset].Should().Be(Began);
    }

    [Test]
    public void Host_that_takes_no_offset_refuses_another_one_and_takes_its_own()
    {
        Backend.TakesTscOffset = false;
        Backend.TscOffset = 0;
        Start(0);

        Machine.WriteFields(VmmDataClass.Msr, 0, (LongStar, 1), (TimeStampCounter, 5)).Error.Should().Be(VmmError.ENOTSUP);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscBootOffset, 5)).Error.Should().Be(VmmError.ENOTSUP);
        Machine.WriteFields(VmmDataClass.Msr, 0, (TimeStampCounter, 0)).Error.Should().Be(VmmError.None);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscBootOffset, 0)).Error.Should().Be(VmmError.None);
        Machine.ReadFields(VmmDataClass.Msr, 0)[LongStar].Should().Be(0);
    }

    [Test]
    public void Time_that_is_turned_by_hand_is_moved_by_nobody_else()
    {
        Use(new VirtualMachineFactory(Backend).Create(Options("by-hand"), new ManualClock()));

        Machine.ReadFields(VmmDataClass.VmmArch, null)[BootTime].Should().Be(0);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, 0)).Error.Should().Be(VmmError.None);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, unchecked((ulong)-1L))).Error.Should().Be(VmmError.ENOTSUP);
    }

    [Test]
    public void Moved_time_reaches_what_waits_for_it()
    {
        Use(Options() with { PlatformChips = true });
        Start();
        Machine.Hpet.Write(0x108, 8, 10 * 16_777_216);
        Machine.Hpet.Write(0x100, 4, (24u << 9) | 4);
        Machine.Hpet.Write(0x10, 4, 1);
        long due = Machine.Time.Deadlines.NextDue;
        due.Should().BeInRange(9_000_000_000, 11_000_000_000);
        ulong boot = Machine.ReadFields(VmmDataClass.VmmArch, null)[BootTime];
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Pause(freeze);
        }

        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, boot - 20_000_000_000)).Error.Should().Be(VmmError.None);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Resume(freeze);
        }

        Background.Until(() => Machine.Time.Deadlines.NextDue > due);
    }

    [Test]
    public void Task_priority_that_is_written_is_the_one_that_the_guest_has()
    {
        const int TaskPriority = 8;
        Use(Options() with { PlatformChips = true });
        Start();
        Guest.TaskPriority = 3;
        byte[] apic = Machine.ReadAll(VmmDataClass.LocalApic, 0);
        apic[TaskPriority].Should().Be(0x30, "CR8 is the same register");
        apic[TaskPriority] = 0x70;

        Machine.Write(VmmDataClass.LocalApic, 0, apic).Error.Should().Be(VmmError.None);

        Guest.TaskPriority.Should().Be(7);
        Machine.ReadAll(VmmDataClass.LocalApic, 0)[TaskPriority].Should().Be(0x70);
    }

    [Test]
    public void Events_that_are_put_there_reach_the_guest()
    {
        FakeVcpu guest = Start();

        Machine.WriteFields(VmmDataClass.VmmArch, 0, (10, 1), (12, (1ul << 31) | (3 << 8) | 6)).Error.Should().Be(VmmError.None);
        guest.ThenOut(0x80, 1, 0);
        Run();

        guest.Delivered.Should().ContainSingle().Which.Vector.Should().Be(6);
        Machine.ReadFields(VmmDataClass.VmmArch, 0).Values.Should().OnlyContain(value => value == 0);
    }

    [Test]
    public void Vcpu_is_asked_for_its_state_while_another_thread_wants_them_all()
    {
        Backend.TakesTscOffset = false;
        Backend.TscOffset = 0;
        IDisposable owned = CpuOf(1).Acquire();
        Background freezing = Background.Start(() => Machine.FreezeVcpus().Dispose());
        Background.Until(() => CpuOf(0).GetState(out _) == VcpuState.Frozen);

        Machine.ReadFields(VmmDataClass.Msr, 1).Should().ContainKey(TimeStampCounter);

        owned.Dispose();
        freezing.Join();
    }

    private void Reinitialize()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
    }
}
