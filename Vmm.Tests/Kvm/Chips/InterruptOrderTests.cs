// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>
/// Which of several events comes first, as the guest sees it: the same with the engine's interrupt controllers and with KVM's
/// (SDM volume 3, "Priority Among Concurrent Events", "Masking Maskable Hardware Interrupts", "Handling Multiple NMIs").
/// </summary>
[TestFixture(ChipHost.Userspace, Category = "Kvm")]
[TestFixture(ChipHost.Split, Category = "Kvm")]
[TestFixture(ChipHost.Kernel, Category = "Kvm")]
[TestFixture(ChipHost.Software)]
public sealed class InterruptOrderTests(ChipHost host)
{
    private const uint SelfFixed = 0x44000;
    private const uint NmiToDestination = 0x4400;
    private const byte Nmi = 2;
    private const byte DivideError = 0;
    private const byte PicTimer = 0x20;
    private const int Pin = 20;

    // Events in the order in which their handlers began: bytes from here on, and how many.
    private const ulong Log = LongModeMachine.Data + 0x100;
    private const ulong LogLength = LongModeMachine.Data + 0x80;

    [Test]
    public void Vectors_come_by_priority_not_by_time()
    {
        using ChipGuest guest = Create(0x41, 0x81, 0x61);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Send(a, 0x41);
            Send(a, 0x81);
            Send(a, 0x61);
            ChipGuest.WaitFor(a, 3);
        });

        Run(guest).Should().Equal(0x81, 0x61, 0x41);
    }

    [Test]
    public void Vector_of_the_8259_pair_comes_before_those_of_the_local_APIC()
    {
        using ChipGuest guest = Create(PicTimer, 0xe1);
        guest.Machine.Assemble(a =>
        {
            Label again = a.CreateLabel();
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x350, 0x700);
            ChipGuest.InitializePic(a, mask: 0xfe);
            ChipGuest.Out(a, 0x43, 0x30);
            ChipGuest.Out(a, 0x40, 1);
            ChipGuest.Out(a, 0x40, 0);
            a.Label(ref again);
            ChipGuest.Out(a, 0x20, 0x0a);
            a.@in(al, 0x20);
            a.test(al, 1);
            a.jz(again);
            Send(a, 0xe1);
            ChipGuest.WaitFor(a, 2);
        });

        // In split mode too: KVM leaves the guest for the pair's vector when interrupts become possible, before it gives what its local APIC has
        // (KVM's api.rst, ready_for_interrupt_injection and KVM_CAP_SPLIT_IRQCHIP).
        Run(guest).Should().Equal(PicTimer, 0xe1);
    }

    [Test]
    public void NMI_comes_although_interrupts_are_disabled_and_before_them()
    {
        using ChipGuest guest = Create(Nmi, 0x41);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Send(a, 0x41);
            SendNmi(a, 0);
            ChipGuest.SpinUntil(a, 1);
            Note(a, 0xff);
            ChipGuest.WaitFor(a, 2);
        });

        Run(guest).Should().Equal(Nmi, 0xff, 0x41);
    }

    [Test]
    public void NMI_waits_until_the_handler_of_the_one_before_returns()
    {
        using ChipGuest guest = new(host);
        guest.Handle(Nmi, a =>
        {
            Label second = a.CreateLabel();
            Note(a, Nmi);
            a.mov(rdx, ChipGuest.Counter);
            a.cmp(__qword_ptr[rdx], 1);
            a.jne(second);
            SendNmi(a, 0);
            a.nop();
            a.nop();
            a.Label(ref second);
            Note(a, 0xfe);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            SendNmi(a, 0);
            ChipGuest.WaitFor(a, 2);
        });

        Run(guest).Should().Equal(Nmi, 0xfe, Nmi, 0xfe);
    }

    [Test]
    public void Exception_behind_STI_comes_before_the_interrupt_that_waits()
    {
        using ChipGuest guest = Create(0x41);
        guest.Handle(DivideError, a =>
        {
            // Behind DIV ECX, of two bytes.
            Note(a, DivideError);
            a.add(__qword_ptr[rsp + 24], 2);
        }, counter: 1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Send(a, 0x41);
            a.xor(ecx, ecx);
            a.xor(edx, edx);
            a.sti();
            a.div(ecx);
            ChipGuest.WaitFor(a, 1);
        });

        Run(guest).Should().Equal(DivideError, 0x41);
    }

    [Test]
    public void Interrupt_waits_for_the_instruction_behind_STI()
    {
        using ChipGuest guest = new(host);
        guest.Handle(0x41, a =>
        {
            a.mov(rax, ChipGuest.Counter + 8);
            a.mov(__qword_ptr[rax], rbx);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Send(a, 0x41);
            a.xor(ebx, ebx);
            a.sti();
            a.inc(rbx);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count(1).Should().NotBe(0);
    }

    [Test]
    public void Task_priority_does_not_hold_the_8259_pair_back()
    {
        using ChipGuest guest = Create(PicTimer, 0xe1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x350, 0x700);
            ChipGuest.InitializePic(a, mask: 0xfe);
            SetTaskPriority(a, 0xf, throughCr8: true);
            Send(a, 0xe1);
            ChipGuest.Out(a, 0x43, 0x30);
            ChipGuest.Out(a, 0x40, 1);
            ChipGuest.Out(a, 0x40, 0);
            ChipGuest.WaitFor(a, 1);
            Note(a, 0xff);
            SetTaskPriority(a, 0, throughCr8: true);
            ChipGuest.WaitFor(a, 2);
        });

        Run(guest).Should().Equal(PicTimer, 0xff, 0xe1);
    }

    [Test]
    public void Handler_that_enables_interrupts_is_interrupted_by_a_higher_class_only()
    {
        const int Nested = 1;
        using ChipGuest guest = Create(0x31);
        guest.Handle(0x81, a =>
        {
            Note(a, 0x81);
            ChipGuest.EndOfInterrupt(a);
        }, Nested);
        guest.Handle(0x61, a =>
        {
            Note(a, 0x61);
            Send(a, 0x31);
            Send(a, 0x81);
            a.push(rbx);
            a.sti();
            ChipGuest.SpinUntil(a, 1, Nested);
            a.cli();
            a.pop(rbx);
            Note(a, 0xfe);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            Send(a, 0x61);
            ChipGuest.WaitFor(a, 2);
        });

        byte[] seen = Run(guest);

        // KVM on a PVM host has ended an interrupt when it delivers it (docs/decisions/0010), so that nothing is in service.
        if (guest.IsInterpreted && host != ChipHost.Userspace)
        {
            seen.Should().StartWith(new byte[] { 0x61, 0x81 });
            seen.Order().Should().Equal(0x31, 0x61, 0x81, 0xfe);
        }
        else
        {
            seen.Should().Equal(0x61, 0x81, 0xfe, 0x31);
        }
    }

    [Test]
    public void NMI_comes_before_the_fault_of_the_next_instruction()
    {
        using ChipGuest guest = Create(Nmi);
        guest.Handle(DivideError, a =>
        {
            Note(a, DivideError);
            a.add(__qword_ptr[rsp + 24], 2);
        }, counter: 1);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            a.xor(ecx, ecx);
            a.xor(edx, edx);
            SendNmi(a, 0);
            a.div(ecx);
            ChipGuest.SpinUntil(a, 1);
        });

        byte[] seen = Run(guest);

        // Where KVM has the local APIC and interprets the guest, it looks for an NMI again a few instructions later.
        seen.Order().Should().Equal(DivideError, Nmi);
        (host is ChipHost.Split or ChipHost.Kernel && guest.IsInterpreted || seen[0] == Nmi).Should().BeTrue("the NMI comes first on {0}", host);
    }

    [Test]
    public void Interrupt_that_arrives_with_MOV_SS_waits_for_the_instruction_behind_it()
    {
        using ChipGuest guest = new(host);
        const ulong Device = 0xd0000000;
        guest.Machine.Machine.Mmio.Attach(
            GuestPhysicalRange.Create(new(Device), 0x1000), new Selector(() => ((IPlatformChips)guest.Machine.Machine).IoApic.PulsePin(Pin)));
        guest.Handle(0x41, a =>
        {
            a.mov(rax, ChipGuest.Counter + 8);
            a.mov(__qword_ptr[rax], rbx);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, Pin, 0x41);
            a.mov(rsi, Device);
            a.xor(ebx, ebx);
            a.sti();
            a.nop();
            a.mov(ss, __word_ptr[rsi]);
            a.inc(rbx);
            ChipGuest.WaitFor(a, 1);
        });

        guest.Machine.RunToEnd();

        guest.Count(1).Should().NotBe(0, "on {0}", host);
    }

    [Test]
    public void What_another_processor_sends_comes_by_priority_and_its_NMI_at_once()
    {
        const int Done = 3;
        using ChipGuest guest = new(host, cpus: 2);
        foreach (byte vector in (ReadOnlySpan<byte>)[0x41, 0x81, Nmi])
        {
            guest.Handle(vector, a =>
            {
                Note(a, vector);
                if (vector != Nmi)
                {
                    ChipGuest.EndOfInterrupt(a);
                }
            });
        }

        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandHigh, 0);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x4041);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x4081);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, NmiToDestination);
            a.@lock.inc(__qword_ptr[ChipGuest.Counter + (Done * 8)]);
            a.Label(ref again);
            a.cli();
            a.hlt();
            a.jmp(again);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            guest.Machine.StartOthers(a);
            ChipGuest.SpinUntil(a, 1, Done);
            ChipGuest.SpinUntil(a, 1);
            Note(a, 0xff);
            ChipGuest.WaitFor(a, 3);
        });

        guest.RunAll();

        Seen(guest).Should().Equal(Nmi, 0xff, 0x81, 0x41);
    }

    [Test]
    public void NMI_of_another_processor_ends_a_halt_with_interrupts_disabled()
    {
        const int Ready = 3;
        const int Awake = 4;
        const int Pauses = 500;
        using ChipGuest guest = new(host, cpus: 2);
        guest.Handle(Nmi, a => Note(a, Nmi));

        // An NMI that comes before HLT ends nothing: the other processor sends them until this one is awake.
        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label send = a.CreateLabel();
            Label pass = a.CreateLabel();
            Label again = a.CreateLabel();
            ChipGuest.EnableLocalApic(a);
            ChipGuest.SpinUntil(a, 1, Ready);
            a.Label(ref send);
            SendNmi(a, 0);
            a.mov(ecx, Pauses);
            a.Label(ref pass);
            a.pause();
            a.dec(ecx);
            a.jnz(pass);
            a.mov(rbx, ChipGuest.Counter);
            a.cmp(__qword_ptr[rbx + (Awake * 8)], 1);
            a.jb(send);
            a.Label(ref again);
            a.cli();
            a.hlt();
            a.jmp(again);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            guest.Machine.StartOthers(a);
            a.mov(rbx, ChipGuest.Counter);
            a.inc(__qword_ptr[rbx + (Ready * 8)]);
            a.cli();
            a.hlt();
            a.mov(rbx, ChipGuest.Counter);
            a.inc(__qword_ptr[rbx + (Awake * 8)]);
        });

        guest.RunAll();

        Seen(guest).Should().NotBeEmpty().And.OnlyContain(vector => vector == Nmi);
    }

    [Test]
    public void NMI_of_the_board_waits_behind_the_gate_of_port_70h_and_one_of_a_processor_does_not()
    {
        using ChipGuest guest = Create(Nmi);
        IInterruptLine wire = guest.Machine.Machine.CreateNmiWire();
        guest.Machine.Machine.Ports.Attach(0x300, new LineSwitch(wire));
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + 0x360, 0x400);
            ChipGuest.Out(a, 0x70, 0x80);
            a.mov(dx, 0x300);
            a.mov(al, 1);
            a.@out(dx, al);
            a.nop();
            Note(a, 0xf1);
            SendNmi(a, 0);
            ChipGuest.SpinUntil(a, 1);
            Note(a, 0xf2);
            ChipGuest.Out(a, 0x70, 0);
            ChipGuest.SpinUntil(a, 2);
            Note(a, 0xf3);
            a.mov(dx, 0x300);
            a.mov(al, 0);
            a.@out(dx, al);
            a.mov(al, 1);
            a.@out(dx, al);
            ChipGuest.SpinUntil(a, 3);
        });

        Run(guest).Should().Equal(0xf1, Nmi, 0xf2, Nmi, 0xf3, Nmi);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Task_priority_holds_its_class_and_lower_ones_back(bool throughCr8)
    {
        using ChipGuest guest = Create(0x51, 0x4f, 0x62);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            SetTaskPriority(a, 5, throughCr8);
            Send(a, 0x51);
            Send(a, 0x4f);
            Send(a, 0x62);
            ChipGuest.WaitFor(a, 1);
            Note(a, 0xff);
            SetTaskPriority(a, 0, throughCr8);
            ChipGuest.WaitFor(a, 3);
        });

        Run(guest).Should().Equal(0x62, 0xff, 0x51, 0x4f);
    }

    private static void SetTaskPriority(Assembler a, byte priorityClass, bool throughCr8)
    {
        if (throughCr8)
        {
            a.mov(eax, priorityClass);
            a.mov(cr8, rax);
        }
        else
        {
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.TaskPriority, (uint)priorityClass << 4);
        }
    }

    private static void Send(Assembler a, byte vector) =>
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, SelfFixed | vector);

    private static void SendNmi(Assembler a, byte destination)
    {
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandHigh, (uint)destination << 24);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, NmiToDestination);
    }

    private static void Note(Assembler a, byte what)
    {
        a.push(rdi);
        a.mov(rdi, LogLength);
        a.push(rsi);
        a.mov(rsi, __qword_ptr[rdi]);
        a.inc(__qword_ptr[rdi]);
        a.mov(__byte_ptr[rdi + rsi + (int)(Log - LogLength)], what);
        a.pop(rsi);
        a.pop(rdi);
    }

    private ChipGuest Create(params byte[] vectors)
    {
        ChipGuest guest = new(host);
        foreach (byte vector in vectors)
        {
            guest.Handle(vector, a =>
            {
                Note(a, vector);
                if (vector == PicTimer)
                {
                    ChipGuest.EndOfPicInterrupt(a);
                }
                else if (vector != Nmi)
                {
                    ChipGuest.EndOfInterrupt(a);
                }
            });
        }

        return guest;
    }

    private static byte[] Run(ChipGuest guest)
    {
        guest.Machine.RunToEnd();
        return Seen(guest);
    }

    private static byte[] Seen(ChipGuest guest) =>
        [.. Enumerable.Range(0, (int)guest.Machine.Read64(LogLength)).Select(index => (byte)guest.Machine.Read64(Log + (ulong)index))];

    /// <summary>A device that gives a data segment's selector and interrupts.</summary>
    private sealed class Selector(Action interrupt) : IMmioHandler
    {
        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
        {
            interrupt();
            return 0x18;
        }

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
        {
            // There is nothing to write.
        }
    }
}
