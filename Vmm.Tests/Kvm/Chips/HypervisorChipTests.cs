// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;
using Vmm.Engine.Chips;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>The accessors of the contract on the chips that KVM has: what a guest has programmed, and what is put there.</summary>
[Category("Kvm")]
public sealed class HypervisorChipTests
{
    private const byte Vector = 0x45;
    private const int Pin = 20;

    [TestCase(ChipHost.Kernel)]
    [TestCase(ChipHost.Split)]
    public void Local_APIC_shows_what_the_guest_wrote(ChipHost host)
    {
        using ChipGuest guest = new(host);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.TaskPriority, 0x30);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, 0x10000 | Vector);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.Divide, 0xb);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0xd0, 0x12000000);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x44000 | Vector);
        });
        guest.Machine.RunToEnd();

        LocalApicState state = LocalApic(guest).Save();

        state.SpuriousVector.Should().Be(0x1ff);
        state.TaskPriority.Should().Be(0x30);
        state.LvtTimer.Should().Be(0x10000 | Vector);
        state.DivideConfiguration.Should().Be(0xb);
        state.LogicalDestination.Should().Be(0x12000000);
        state.InterruptCommand.Should().Be(0x44000 | Vector);
        state.Requests[Vector].Should().BeTrue();
        state.ApicBase.Should().Be(0xfee00900);
        state.Id.Should().Be(0);
    }

    [TestCase(ChipHost.Kernel)]
    [TestCase(ChipHost.Split)]
    public void Local_APIC_takes_its_layout_back(ChipHost host)
    {
        using ChipGuest guest = new(host);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x44000 | Vector);
        });
        guest.Machine.RunToEnd();
        ILocalApic apic = ((IPlatformChips)Machine(guest)).GetLocalApic(default);
        byte[] saved = Read(apic);
        byte[] changed = [.. saved];
        BinaryPrimitives.WriteUInt32LittleEndian(changed.AsSpan(8), 0x70);

        Write(apic, changed).Should().Be(VmmError.None);
        Read(apic).Should().Equal(changed);
        Write(apic, saved).Should().Be(VmmError.None);
        Read(apic).Should().Equal(saved);

        changed[4] ^= 1;
        Write(apic, changed).Should().Be(VmmError.EINVAL, "the version is the hypervisor's");
        Read(apic).Should().Equal(saved);
    }

    [TestCase(ChipHost.Kernel)]
    [TestCase(ChipHost.Split)]
    public void Timer_goes_on_from_the_count_that_is_put_there(ChipHost host)
    {
        using ChipGuest guest = new(host);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a => ChipGuest.WaitFor(a, 1));
        HypervisorLocalApic apic = LocalApic(guest);
        apic.Restore(apic.Save() with
        {
            SpuriousVector = 0x1ff,
            LvtTimer = Vector,
            DivideConfiguration = 0xb,
            InitialCount = 1_000_000_000,
            TimerExpiry = guest.Machine.Machine.Normalize(new(HostNow())).Nanoseconds + 1_000_000,
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().Be(1);
    }

    [Test]
    public void IO_APIC_shows_what_the_guest_wrote_and_takes_it_back()
    {
        using ChipGuest guest = new(ChipHost.Kernel);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.RoutePin(a, Pin, 0x18000 | Vector);
            ChipGuest.Write(a, ChipGuest.IoApic, 0);
            ChipGuest.Write(a, ChipGuest.IoApic + 0x10, 5 << 24);
        });
        guest.Machine.RunToEnd();
        HypervisorIoApic chip = (HypervisorIoApic)((IPlatformChips)Machine(guest)).IoApic;
        chip.AssertPin(Pin);

        IoApicState state = chip.Save();

        state.Id.Should().Be(5 << 24);
        state.Entries[Pin].Should().Be(0x18000 | Vector);
        state.Assertions[Pin].Should().Be(1);
        byte[] saved = Read(chip);
        ((IIoApic)chip).Entry.Should().Be(new VmmDataVersionEntry(VmmDataClass.IoApic, 1, 392, 0));
        chip.Restore(state with { Id = 0, Entries = [.. state.Entries.Select(static entry => entry | 0x10)] });
        chip.Save().Entries[Pin].Should().Be(0x18000 | Vector | 0x10);
        Write(chip, saved).Should().Be(VmmError.None);
        Read(chip).Should().Equal(saved);
    }

    [Test]
    public void Pair_of_8259_shows_what_the_guest_wrote_and_takes_it_back()
    {
        using ChipGuest guest = new(ChipHost.Kernel);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0x5a);
            ChipGuest.Out(a, 0x20, 0xc3);
            ChipGuest.Out(a, 0x20, 0x0b);
        });
        guest.Machine.RunToEnd();
        HypervisorAtPic chip = (HypervisorAtPic)((IPlatformChips)Machine(guest)).AtPic;
        chip.AssertIrq(4);

        AtPicState state = chip.Save();

        state.Master.VectorBase.Should().Be(0x20);
        state.Slave.VectorBase.Should().Be(0x28);
        state.Master.Mask.Should().Be(0x5a);
        state.Master.LowestPriority.Should().Be(3);
        state.Master.ReadInService.Should().BeTrue();
        state.Master.Requests.Should().Be(1 << 4);
        byte[] saved = Read(chip);
        chip.Restore(state with { Master = state.Master with { Mask = 0xff, LowestPriority = 7 } });
        chip.Save().Master.Should().Be(state.Master with { Mask = 0xff, LowestPriority = 7 });
        Write(chip, saved).Should().Be(VmmError.None);
        Read(chip).Should().Equal(saved);
    }

    [Test]
    public void Pit_shows_what_the_guest_wrote_and_takes_it_back()
    {
        using ChipGuest guest = new(ChipHost.Kernel);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.StartPit(a, 50_000);
            ChipGuest.Out(a, 0x43, 0xb6);
            ChipGuest.Out(a, 0x42, 0x34);
            ChipGuest.Out(a, 0x42, 0x12);
            ChipGuest.Out(a, 0x61, 3);
            ChipGuest.Out(a, 0x43, 0x80);
            ChipGuest.Out(a, 0x40, 0x55);
        });
        guest.Machine.RunToEnd();
        HypervisorAtPit chip = (HypervisorAtPit)((IPlatformChips)Machine(guest)).AtPit;

        AtPitState state = chip.Save();

        state.Counter0.Control.Should().Be(0x34);
        state.Counter0.CountRegister.Should().Be(50_000);
        state.Counter0.WriteHigh.Should().BeTrue();
        state.Counter0.WriteLatch.Should().Be(0x55);
        state.Counter0.CountingElement.Should().BeInRange(1, 50_000);
        state.Counter2.Control.Should().Be(0x36);
        state.Counter2.CountRegister.Should().Be(0x1234);
        state.Counter2.CountLatched.Should().BeTrue();
        state.SystemControl.Should().Be(3);
        chip.Restore(state with { Counter2 = state.Counter2 with { CountRegister = 0x4321 } });
        chip.Save().Counter2.CountRegister.Should().Be(0x4321);
        byte[] saved = Read(chip);
        Write(chip, saved).Should().Be(VmmError.None);
        WithoutTimes(Read(chip)).Should().Equal(WithoutTimes(saved));
    }

    [TestCase(ChipHost.Userspace)]
    [TestCase(ChipHost.Split)]
    [TestCase(ChipHost.Kernel)]
    [TestCase(ChipHost.Software)]
    public void Accessors_interrupt_the_guest(ChipHost host)
    {
        const byte PinVector = Vector + 1;
        const byte LocalVector = Vector + 2;
        const byte PicVector = 0x20 + 5;
        using ChipGuest guest = new(host);
        IPlatformChips chips = guest.Machine.Machine;
        guest.Machine.Machine.Ports.Attach(0x300, new Trigger(
            () => chips.GetLocalApic(default).SetInterrupt(Vector, level: false),
            () => chips.IoApic.PulsePin(Pin),
            () => chips.GetLocalApic(default).SetLocalInterrupt(2),
            () => chips.AtPic.PulseIrq(5)));
        guest.Handle(Vector, ChipGuest.EndOfInterrupt, counter: 0);
        guest.Handle(PinVector, ChipGuest.EndOfInterrupt, counter: 1);
        guest.Handle(LocalVector, ChipGuest.EndOfInterrupt, counter: 2);
        guest.Handle(PicVector, ChipGuest.EndOfPicInterrupt, counter: 3);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0xdf);
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x350, 0x700);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, LocalVector);
            ChipGuest.RoutePin(a, Pin, PinVector);
            for (byte trigger = 0; trigger < 4; trigger++)
            {
                a.mov(dx, 0x300);
                a.mov(al, trigger);
                a.@out(dx, al);
                ChipGuest.WaitFor(a, 1, trigger);
            }
        });

        guest.Machine.RunToEnd();

        Enumerable.Range(0, 4).Select(guest.Count).Should().Equal(1ul, 1ul, 1ul, 1ul);
    }

    private static long HostNow() => Vmm.Engine.HostClock.Now.Nanoseconds;

    private static Vmm.Engine.VirtualMachine Machine(ChipGuest guest) => guest.Machine.Machine;

    private static HypervisorLocalApic LocalApic(ChipGuest guest) => (HypervisorLocalApic)((IPlatformChips)Machine(guest)).GetLocalApic(default);

    private static byte[] Read(IVmmDataSource chip)
    {
        byte[] data = new byte[chip.Entry.ExpectedLength];
        chip.Read(new VmmDataRequest(chip.Entry.DataClass, 1, data)).Error.Should().Be(VmmError.None);
        chip.Read(new VmmDataRequest(chip.Entry.DataClass, 1, data.AsSpan(1)))
            .Should().Be(new VmmDataResult(VmmError.ENOSPC, chip.Entry.ExpectedLength));
        return data;
    }

    private static VmmError Write(IVmmDataSource chip, byte[] data) =>
        chip.Write(new VmmDataRequest(chip.Entry.DataClass, 1, data)).Error;

    // Each counter of the layout ends with a time.
    private static byte[] WithoutTimes(byte[] layout)
    {
        const int CounterLength = 24;
        const int TimeOffset = 16;
        return [.. layout.Where((_, index) => index % CounterLength < TimeOffset)];
    }

    private sealed class Trigger(params Action[] actions) : Vmm.Abstractions.IoPorts.IPortHandler
    {
        public Vmm.Abstractions.IoPorts.PortOutcome Read(Vmm.Abstractions.Vcpu.IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return Vmm.Abstractions.IoPorts.PortOutcome.Handled;
        }

        public Vmm.Abstractions.IoPorts.PortOutcome Write(Vmm.Abstractions.Vcpu.IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            actions[value]();
            return Vmm.Abstractions.IoPorts.PortOutcome.Handled;
        }
    }
}
