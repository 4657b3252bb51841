// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Events;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>The engine's timers and interrupt controllers, programmed by a guest, in the host's time.</summary>
[TestFixture(ChipHost.Userspace, Category = "Kvm")]
[TestFixture(ChipHost.Split, Category = "Kvm")]
[TestFixture(ChipHost.Kernel, Category = "Kvm")]
[TestFixture(ChipHost.Software)]
public sealed class TimerInterruptTests(ChipHost host)
{
    private const uint TscDeadlineMsr = 0x6e0;
    private const uint TscDeadlineMode = 2 << 17;
    private const uint Periodic = 1 << 17;
    private const uint Masked = 1 << 16;
    private const byte Vector = 0x40;
    private const ulong Ticks = 3;

    private bool HasLocalApics => host is ChipHost.Userspace or ChipHost.Software;

    [Test]
    public void Pit_ticks_reach_the_guest_through_the_8259_pair()
    {
        using ChipGuest guest = new(host);
        guest.Handle(0x20, ChipGuest.EndOfPicInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0xfe);
            ChipGuest.StartPit(a, 1193);
            ChipGuest.WaitFor(a, Ticks);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().BeGreaterThanOrEqualTo(Ticks);
        long visible = host == ChipHost.Kernel ? 0 : (long)Ticks;
        guest.Machine.Cpu.Counters.ExternalInterrupts.Should().BeGreaterThanOrEqualTo(visible);
    }

    [Test]
    public void Pit_ticks_reach_the_guest_through_pin_2_of_the_IO_APIC()
    {
        using ChipGuest guest = new(host);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0xff);
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, 2, Vector);
            ChipGuest.StartPit(a, 1193);
            ChipGuest.WaitFor(a, Ticks);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().BeGreaterThanOrEqualTo(Ticks);
        guest.Machine.Cpu.Counters.ExternalInterrupts.Should().Be(0);
    }

    [TestCase(0u, 1ul)]
    [TestCase(Periodic, Ticks)]
    public void Local_APIC_timer_fires(uint mode, ulong ticks)
    {
        using ChipGuest guest = new(host);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.Divide, 0xb);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, mode | Vector);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.InitialCount, 134_217);
            ChipGuest.WaitFor(a, ticks);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().BeGreaterThanOrEqualTo(ticks);
    }

    [Test]
    public void TSC_deadline_fires_not_before_the_counter_reaches_it()
    {
        using ChipGuest guest = new(host);
        if (HasLocalApics && guest.Machine.Machine.GetLocalApic(default).ReadMsr(TscDeadlineMsr, out _) == Vmm.Abstractions.Msr.MsrOutcome.Unhandled)
        {
            Assert.Ignore("this host's KVM cannot hand IA32_TSC_DEADLINE over");
        }

        guest.Handle(Vector, a =>
        {
            a.rdtsc();
            a.shl(rdx, 32);
            a.or(rax, rdx);
            a.mov(__qword_ptr[ChipGuest.Counter + 16], rax);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, TscDeadlineMode | Vector);
            a.rdtsc();
            a.shl(rdx, 32);
            a.or(rax, rdx);
            a.add(rax, 2_000_000);
            a.mov(__qword_ptr[ChipGuest.Counter + 8], rax);
            a.mov(rdx, rax);
            a.shr(rdx, 32);
            a.mov(ecx, TscDeadlineMsr);
            a.wrmsr();
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count(2).Should().BeGreaterThanOrEqualTo(guest.Count(1));
    }

    [Test]
    public void X2Apic_timer_is_programmed_by_MSRs()
    {
        using ChipGuest guest = new(host);
        guest.Handle(Vector, a => ChipGuest.WriteMsr(a, 0x80b, 0));
        guest.Machine.Assemble(a =>
        {
            ChipGuest.WriteMsr(a, 0x1b, 0xfee00d00);
            ChipGuest.WriteMsr(a, 0x80f, 0x1ff);
            ChipGuest.WriteMsr(a, 0x832, Periodic | Vector);
            ChipGuest.WriteMsr(a, 0x838, 134_217);
            ChipGuest.WaitFor(a, Ticks);
        });

        guest.Machine.RunToEnd();

        guest.Machine.Cpu.X2ApicState.Should().Be(Vmm.Abstractions.Registers.X2ApicState.Enabled);
    }

    [Test]
    public void Hpet_timer_fires_through_the_IO_APIC()
    {
        const uint Enable = 1 << 2;
        int pin = HasLocalApics ? 24 : 20;
        using ChipGuest guest = new(host);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, pin, Vector);
            ChipGuest.Write(a, ChipGuest.Hpet + 0x108, 16_777);
            ChipGuest.Write(a, ChipGuest.Hpet + 0x100, Enable | ((uint)pin << 9));
            ChipGuest.Write(a, ChipGuest.Hpet + 0x10, 1);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count().Should().Be(1);
    }

    [Test]
    public void Level_interrupt_comes_again_after_its_end_as_long_as_the_line_is_high()
    {
        const int Pin = 20;
        const uint Level = 1 << 15;
        using ChipGuest guest = new(host);
        IInterruptLine line = guest.Machine.Machine.GetInterruptLine(Pin);
        guest.Machine.Machine.Ports.Attach(0x300, new LineSwitch(line));
        Label low = default;
        guest.Handle(Vector, a =>
        {
            low = a.CreateLabel();
            a.mov(rax, ChipGuest.Counter);
            a.cmp(__qword_ptr[rax], 3);
            a.jb(low);
            a.mov(dx, 0x300);
            a.mov(al, 0);
            a.@out(dx, al);
            a.Label(ref low);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, Level | Vector);
            a.mov(dx, 0x300);
            a.mov(al, 1);
            a.@out(dx, al);
            ChipGuest.WaitFor(a, 3);
            a.sti();
            a.nop();
            a.nop();
            a.cli();
        });

        guest.Machine.RunToEnd();

        // A host that ends interrupts at their delivery sends the next one before the handler has lowered the line.
        int most = guest.IsInterpreted && host != ChipHost.Userspace ? 4 : 3;
        guest.Count().Should().BeInRange(3, (ulong)most);
    }

    [Test]
    public void Task_priority_holds_lower_vectors_back()
    {
        using ChipGuest guest = new(host);
        guest.Handle(Vector, ChipGuest.EndOfInterrupt);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.TaskPriority, 0x50);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x40000 | Vector);
            a.sti();
            a.nop();
            a.nop();
            a.cli();
            a.mov(rax, __qword_ptr[ChipGuest.Counter]);
            a.mov(__qword_ptr[ChipGuest.Counter + 8], rax);
            a.xor(eax, eax);
            a.mov(cr8, rax);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count(1).Should().Be(0);
        guest.Count().Should().Be(1);
    }
}
