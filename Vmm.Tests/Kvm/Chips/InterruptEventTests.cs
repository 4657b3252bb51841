// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Iced.Intel;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>Eventfds that raise a guest's interrupts: the same with the engine's controllers and with KVM's.</summary>
[TestFixture(ChipHost.Userspace, Category = "Kvm")]
[TestFixture(ChipHost.Split, Category = "Kvm")]
[TestFixture(ChipHost.Kernel, Category = "Kvm")]
[TestFixture(ChipHost.Software)]
public sealed class InterruptEventTests(ChipHost host)
{
    private const byte Vector = 0x51;
    private const byte OtherVector = 0x61;
    private const int Pin = 21;
    private const uint Level = 1 << 15;
    private const ushort SignalPort = 0x300;
    private const ulong MessageAddress = 0xfee00000;

    [Test]
    public void Event_raises_an_edge_triggered_pin_each_time()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachLine(Pin, trigger);
        AttachSignal(guest, trigger);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Vector);
            for (ulong count = 1; count <= 3; count++)
            {
                Signal(a, 0);
                ChipGuest.WaitFor(a, count);
            }
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().Be(3);
        guest.Events.TakeEvent(trigger).Should().Be(0, "the VM has taken what was added");
    }

    [Test]
    public void Event_raises_a_request_of_the_8259_pair()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachLine(5, trigger);
        AttachSignal(guest, trigger);
        guest.Handle(0x25, ChipGuest.EndOfPicInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x350, 0x700);
            ChipGuest.InitializePic(a, mask: 0xdf);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 2);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().Be(2);
    }

    [Test]
    public void Event_sends_a_message()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle other = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachMessage(MessageAddress, Vector, trigger);
        using IDisposable second = guest.Machine.Machine.AttachMessage(MessageAddress, OtherVector, other);
        AttachSignal(guest, trigger, other);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt, counter: 0);
        guest.Handle(OtherVector, ChipGuest.EndOfInterrupt, counter: 1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
            Signal(a, 1);
            ChipGuest.WaitFor(a, 1, counter: 1);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 2);
        });

        guest.Machine.RunToEnd();

        guest.Count(0).Should().Be(2);
        guest.Count(1).Should().Be(1);
    }

    [Test]
    public void Event_added_to_before_it_is_attached_raises_the_interrupt_then()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        guest.Events.SignalEvent(trigger);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        IDisposable? registration = null;
        guest.Machine.Machine.Ports.Attach(
            SignalPort, new Output(_ => registration = guest.Machine.Machine.AttachMessage(MessageAddress, Vector, trigger)));
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().Be(1);
        registration!.Dispose();
    }

    [Test]
    public void Level_triggered_pin_stays_up_until_its_end_which_the_device_is_told()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle resample = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachLine(Pin, trigger, resample);
        AttachSignal(guest, trigger);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Level | Vector);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        AwaitEnd(guest, resample);
        guest.Count().Should().Be(1, "the line falls at the end of the interrupt");
    }

    [Test]
    public void Device_that_still_wants_service_raises_the_pin_again_when_it_is_told()
    {
        const int Rounds = 5;
        const ulong Finished = ChipGuest.Counter + 8;
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle resample = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachLine(Pin, trigger, resample);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            Label again = a.CreateLabel();
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Level | Vector);
            Signal(a, 0);
            a.mov(rbx, Finished);
            a.sti();
            a.Label(ref again);
            a.pause();
            a.cmp(__qword_ptr[rbx], 0);
            a.je(again);
        });
        Background? device = null;
        guest.Machine.Machine.Ports.Attach(SignalPort, new Output(_ => device = Background.Start(() =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                guest.Events.SignalEvent(trigger);
                AwaitEnd(guest, resample);
            }

            guest.Machine.Write64(Finished, 1);
        })));

        Background.Start(guest.Machine.RunToEnd).Join();

        device!.Join();
        guest.Count().Should().Be(Rounds);
    }

    [Test]
    public void Devices_that_share_a_pin_are_both_told()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle otherTrigger = guest.Events.CreateEvent();
        using SafeHandle resample = guest.Events.CreateEvent();
        using SafeHandle otherResample = guest.Events.CreateEvent();
        using IDisposable one = guest.Machine.Machine.AttachLine(Pin, trigger, resample);
        using IDisposable other = guest.Machine.Machine.AttachLine(Pin, otherTrigger, otherResample);
        AttachSignal(guest, trigger);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Level | Vector);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        AwaitEnd(guest, resample);
        AwaitEnd(guest, otherResample);
    }

    [Test]
    public void Level_triggered_request_of_the_8259_pair_falls_at_its_end()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle resample = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachLine(5, trigger, resample);
        AttachSignal(guest, trigger);
        guest.Handle(0x25, ChipGuest.EndOfPicInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x350, 0x700);
            ChipGuest.InitializePic(a, mask: 0xdf);
            a.mov(dx, 0x4d0);
            a.mov(al, 0x20);
            a.@out(dx, al);
            Signal(a, 0);
            ChipGuest.WaitFor(a, 1);
            a.sti();
            a.nop();
            a.nop();
            a.cli();
        });

        guest.Machine.RunToEnd();

        guest.Events.TakeEvent(resample).Should().Be(1);
        guest.Count().Should().Be(1);
    }

    [Test]
    public void Registrations_outlast_a_reinitialization()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle message = guest.Events.CreateEvent();
        using SafeHandle resample = guest.Events.CreateEvent();
        using IDisposable line = guest.Machine.Machine.AttachLine(Pin, trigger, resample);
        using IDisposable sent = guest.Machine.Machine.AttachMessage(MessageAddress, OtherVector, message);
        AttachSignal(guest, trigger, message);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt, counter: 0);
        guest.Handle(OtherVector, ChipGuest.EndOfInterrupt, counter: 1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Level | Vector);
            Signal(a, 0);
            Signal(a, 1);
            ChipGuest.WaitFor(a, 1, counter: 0);
            ChipGuest.WaitFor(a, 1, counter: 1);
        });
        guest.Machine.Reinitialize();

        guest.Machine.RunToEnd();

        AwaitEnd(guest, resample);
        guest.Count(0).Should().Be(1);
        guest.Count(1).Should().Be(1);
    }

    [Test]
    public void Event_raises_nothing_after_its_registration_has_ended()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle other = guest.Events.CreateEvent();
        IDisposable ended = guest.Machine.Machine.AttachMessage(MessageAddress, Vector, trigger);
        using IDisposable present = guest.Machine.Machine.AttachMessage(MessageAddress, OtherVector, other);
        AttachSignal(guest, trigger, other);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt, counter: 0);
        guest.Handle(OtherVector, ChipGuest.EndOfInterrupt, counter: 1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Signal(a, 0);
            Signal(a, 1);
            ChipGuest.WaitFor(a, 1, counter: 1);
        });
        ended.Dispose();
        ended.Dispose();

        guest.Machine.RunToEnd();

        guest.Count(0).Should().Be(0);
        guest.Events.TakeEvent(trigger).Should().Be(1, "nobody takes it any more");
    }

    [Test]
    public void Event_can_be_attached_again_after_its_registration_has_ended_and_to_another_VM_after_the_first_one_has()
    {
        using ChipGuest next = new(host);
        using SafeHandle trigger = next.Events.CreateEvent();
        ChipGuest guest = new(host);
        guest.Machine.Machine.AttachMessage(MessageAddress, Vector, trigger).Dispose();
        guest.Machine.Machine.AttachLine(Pin, trigger);
        guest.Dispose();

        next.Machine.Machine.AttachLine(Pin, trigger).Dispose();

        trigger.Dispose();
        trigger.IsClosed.Should().BeTrue();
    }

    [Test]
    public void Event_raises_one_interrupt_at_most()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();
        using IDisposable registration = guest.Machine.Machine.AttachMessage(MessageAddress, Vector, trigger);

        guest.Machine.Machine.Invoking(machine => machine.AttachMessage(MessageAddress, OtherVector, trigger))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
        guest.Machine.Machine.Invoking(machine => machine.AttachLine(Pin, trigger))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
    }

    [Test]
    public void Descriptor_that_is_closed_or_no_event_is_refused()
    {
        using ChipGuest guest = new(host);
        SafeHandle closed = guest.Events.CreateEvent();
        closed.Dispose();
        using SafeHandle trigger = guest.Events.CreateEvent();
        using SafeHandle file = File.OpenHandle("/dev/null");
        using SafeHandle nothing = new Microsoft.Win32.SafeHandles.SafeFileHandle(1 << 20, ownsHandle: false);

        guest.Machine.Machine.Invoking(machine => machine.AttachLine(Pin, closed)).Should().Throw<ObjectDisposedException>();
        guest.Machine.Machine.Invoking(machine => machine.AttachLine(Pin, trigger, closed)).Should().Throw<ObjectDisposedException>();
        guest.Machine.Machine.Invoking(machine => machine.AttachLine(Pin, file))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
        guest.Machine.Machine.Invoking(machine => machine.AttachLine(Pin, trigger, file))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
        guest.Machine.Machine.Invoking(machine => machine.AttachMessage(MessageAddress, Vector, nothing))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBADF);
        guest.Machine.Machine.AttachLine(Pin, trigger).Dispose();
    }

    [Test]
    public void Line_that_the_controllers_do_not_have_is_refused()
    {
        using ChipGuest guest = new(host);
        using SafeHandle trigger = guest.Events.CreateEvent();

        guest.Machine.Machine.Invoking(machine => machine.AttachLine(1000, trigger))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    private static void AttachSignal(ChipGuest guest, params SafeHandle[] events) =>
        guest.Machine.Machine.Ports.Attach(SignalPort, new Output(index => guest.Events.SignalEvent(events[index])));

    private static void Signal(Assembler a, byte index)
    {
        a.mov(dx, (short)SignalPort);
        a.mov(al, index);
        a.@out(dx, al);
    }

    /// <summary>Waits until a device is told that its interrupt has ended.</summary>
    private static void AwaitEnd(ChipGuest guest, SafeHandle resample) =>
        Background.Until(() => guest.Events.TakeEvent(resample) != 0);

    private sealed class Output(Action<byte> written) : IPortHandler
    {
        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Unclaimed;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            written((byte)value);
            return PortOutcome.Handled;
        }
    }
}
