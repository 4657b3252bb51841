// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Iced.Intel;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>Processors start each other and interrupt each other.</summary>
[TestFixture(ChipHost.Userspace, Category = "Kvm")]
[TestFixture(ChipHost.Split, Category = "Kvm")]
[TestFixture(ChipHost.Kernel, Category = "Kvm")]
[TestFixture(ChipHost.Software)]
public sealed class ProcessorStartTests(ChipHost host)
{
    private const byte Vector = 0x41;
    private const int Started = 3;
    private const byte MarkPort = 0x99;

    [TestCase(2)]
    [TestCase(8)]
    public void Processors_are_started_by_INIT_and_start_up(int cpus)
    {
        using ChipGuest guest = new(host, cpus);
        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            a.@lock.inc(__qword_ptr[ChipGuest.Counter + (Started * 8)]);
            a.Label(ref again);
            a.cli();
            a.hlt();
            a.jmp(again);
        });
        guest.Machine.Assemble(a =>
        {
            guest.Machine.StartOthers(a);
            ChipGuest.SpinUntil(a, (ulong)cpus - 1, Started);
        });

        guest.RunAll();

        guest.Count(Started).Should().Be((ulong)cpus - 1);
    }

    [Test]
    public void Processor_above_255_is_reached_in_x2APIC_mode()
    {
        const int Cpus = 260;
        const uint Last = Cpus - 1;
        const int Identity = 5;
        using ChipGuest guest = new(host, Cpus);
        guest.Handle(Vector, a =>
        {
            a.mov(ecx, 0x802);
            a.rdmsr();
            a.mov(ecx, eax);
            a.mov(rax, ChipGuest.Counter + (Identity * 8));
            a.mov(__[rax], rcx);
            ChipGuest.WriteMsr(a, 0x80b, 0);
        });
        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            guest.LoadInterruptTable(a);
            EnterX2Apic(a);
            a.@lock.inc(__qword_ptr[ChipGuest.Counter + (Started * 8)]);
            a.Label(ref again);
            a.sti();
            a.hlt();
            a.jmp(again);
        });
        guest.Machine.Assemble(a =>
        {
            guest.Machine.StartOthers(a);
            ChipGuest.SpinUntil(a, Cpus - 1, Started);
            EnterX2Apic(a);
            ChipGuest.WriteMsr(a, 0x830, ((ulong)Last << 32) | 0x4000 | Vector);
            ChipGuest.SpinUntil(a, 1, Identity);
        });

        guest.RunAll();

        guest.Count().Should().Be(1, "one processor was meant");
        guest.Count(Identity).Should().Be(Last);

        static void EnterX2Apic(Assembler a)
        {
            a.mov(ecx, 0x1b);
            a.rdmsr();
            a.or(eax, 0xc00);
            a.wrmsr();
            ChipGuest.WriteMsr(a, 0x80f, 0x1ff);
        }
    }

    [Test]
    public void Two_processors_interrupt_each_other() => InterruptEachOther(rounds: 50);

    [Test]
    [Category("Long")]
    [Explicit("measures, for docs/performance.md")]
    public void Two_processors_interrupt_each_other_in_a_time_that_is_shown()
    {
        const int Rounds = 2000;
        TimeSpan time = InterruptEachOther(Rounds);
        TestContext.Out.WriteLine($"{host}: {time.TotalMicroseconds / Rounds:0.0} us for an interrupt and its answer");
    }

    /// <summary>Lets vCPU 0 interrupt vCPU 1, which answers by an interrupt, a number of times.</summary>
    /// <returns>How long that took.</returns>
    private TimeSpan InterruptEachOther(int rounds)
    {
        long start = 0;
        long end = 0;
        using ChipGuest guest = new(host, cpus: 2);

        // vCPU 0 counts in counter 0 and tells vCPU 1, which counts in counter 1 and tells vCPU 0.
        guest.Handle(Vector, ChipGuest.EndOfInterrupt, counter: 0);
        guest.Handle(Vector + 1, a =>
        {
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandHigh, 0);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x4000 | Vector);
            ChipGuest.EndOfInterrupt(a);
        }, counter: 1);
        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            guest.LoadInterruptTable(a);
            ChipGuest.EnableLocalApic(a);
            a.@lock.inc(__qword_ptr[ChipGuest.Counter + (Started * 8)]);
            a.Label(ref again);
            a.sti();
            a.hlt();
            a.jmp(again);
        });
        guest.Machine.Assemble(a =>
        {
            Label round = a.CreateLabel();
            Label answer = a.CreateLabel();
            Label answered = a.CreateLabel();
            ChipGuest.EnableLocalApic(a);
            guest.Machine.StartOthers(a);
            ChipGuest.SpinUntil(a, 1, Started);
            a.mov(rbx, ChipGuest.Counter);
            a.xor(esi, esi);
            ChipGuest.Out(a, MarkPort, 0);
            a.Label(ref round);
            a.inc(rsi);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandHigh, 1 << 24);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x4000 | (Vector + 1));
            a.Label(ref answer);
            a.cli();
            a.cmp(__qword_ptr[rbx], rsi);
            a.jae(answered);
            a.sti();
            a.hlt();
            a.jmp(answer);
            a.Label(ref answered);
            a.cmp(rsi, rounds);
            a.jb(round);
            ChipGuest.Out(a, MarkPort, 1);
        });
        guest.Machine.Machine.Ports.Attach(MarkPort, new Marks(isEnd => (isEnd ? ref end : ref start) = Stopwatch.GetTimestamp()));

        guest.RunAll();

        guest.Count(0).Should().Be((ulong)rounds);
        guest.Count(1).Should().Be((ulong)rounds);
        return Stopwatch.GetElapsedTime(start, end);
    }

    private sealed class Marks(Action<bool> written) : IPortHandler
    {
        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Unclaimed;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            written((value & 1) != 0);
            return PortOutcome.Handled;
        }
    }
}
