// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Iced.Intel;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>
/// Rates of the engine's timers as a guest sees them, beside the host's monotonic clock: the median over windows of one second is within
/// 400 ppm of what the data sheet says.
/// </summary>
[TestFixture(ChipHost.Userspace, Category = "Kvm")]
[TestFixture(ChipHost.Split, Category = "Kvm")]
[TestFixture(ChipHost.Software)]
[Category("Long")]
[Explicit("takes minutes")]
public sealed class TimerRateTests(ChipHost host)
{
    private const double Tolerance = 400e-6;
    private const int Windows = 7;
    private const byte Vector = 0x40;
    private const ushort MarkPort = 0x300;
    private const ushort PmTimerPort = 0x608;
    private const uint Periodic = 1 << 17;

    [Test]
    public void Pit_has_its_rate()
    {
        const ushort Count = 11_932;
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        guest.Handle(0x20, a =>
        {
            Mark(a);
            ChipGuest.EndOfPicInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0xfe);
            ChipGuest.StartPit(a, Count);
            WaitForEver(a);
        });

        marks.ShouldTick(guest, 1_193_182.0 / Count);
    }

    [Test]
    public void Local_APIC_timer_has_its_rate()
    {
        const uint Count = 1_342_177;

        // KVM's counts nanoseconds.
        double frequency = host == ChipHost.Split ? 1e9 : 134_217_728;
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        HandleByApic(guest);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.Divide, 0xb);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.LvtTimer, Periodic | Vector);
            ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.InitialCount, Count);
            WaitForEver(a);
        });

        marks.ShouldTick(guest, frequency / Count);
    }

    [Test]
    public void Hpet_has_its_rate()
    {
        const uint Count = 167_772;
        const uint PeriodicWithValue = (1 << 2) | (1 << 3) | (1 << 6);
        int pin = host == ChipHost.Split ? 20 : 24;
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        HandleByApic(guest);
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            ChipGuest.RoutePin(a, pin, Vector);
            ChipGuest.Write(a, ChipGuest.Hpet + 0x100, PeriodicWithValue | ((uint)pin << 9));
            ChipGuest.Write(a, ChipGuest.Hpet + 0x108, Count);
            ChipGuest.Write(a, ChipGuest.Hpet + 0x108, Count);
            ChipGuest.Write(a, ChipGuest.Hpet + 0x10, 1);
            WaitForEver(a);
        });
        ulong femtoseconds = guest.Machine.Machine.Hpet.Capabilities >> 32;

        marks.ShouldTick(guest, 1e15 / femtoseconds / Count);
    }

    [Test]
    public void Power_management_timer_has_its_rate()
    {
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        guest.Machine.Machine.PmTimer.Locate(PmTimerPort);
        guest.Machine.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.mov(dx, (short)PmTimerPort);
            a.@in(eax, dx);
            a.mov(dx, (short)MarkPort);
            a.@out(dx, eax);
            a.jmp(again);
        });

        marks.ShouldCount(guest, 3_579_545, bits: 24);
    }

    [Test]
    public void Periodic_interrupt_of_the_clock_has_its_rate([Range(6, 15)] int select)
    {
        // 1024 Hz and each half of the one before (MC146818 data sheet).
        double rate = 32_768.0 / (1 << (select - 1));
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        guest.Handle(0x28, a =>
        {
            Mark(a);
            ChipGuest.Out(a, 0x70, 0x0c);
            a.@in(al, 0x71);
            ChipGuest.Out(a, 0xa0, 0x20);
            ChipGuest.EndOfPicInterrupt(a);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.InitializePic(a, mask: 0xfb);
            ChipGuest.Out(a, 0xa1, 0xfe);
            ChipGuest.Out(a, 0x70, 0x0a);
            ChipGuest.Out(a, 0x71, (byte)(0x20 | select));
            ChipGuest.Out(a, 0x70, 0x0b);
            ChipGuest.Out(a, 0x71, 0x42);
            WaitForEver(a);
        });

        marks.ShouldTick(guest, rate);
    }

    [Test]
    public void Periodic_flag_of_the_clock_has_its_rate([Range(3, 5)] int select)
    {
        // 8192, 4096 and 2048 Hz. A host that interprets the guest takes as long for an interrupt as one of these periods is, so the guest
        // looks for the flag.
        double rate = 32_768.0 / (1 << (select - 1));
        using ChipGuest guest = new(host);
        Marks marks = Attach(guest);
        guest.Machine.Assemble(a =>
        {
            Label again = a.CreateLabel();
            ChipGuest.Out(a, 0x70, 0x0a);
            ChipGuest.Out(a, 0x71, (byte)(0x20 | select));
            ChipGuest.Out(a, 0x70, 0x0c);
            a.mov(dx, (short)MarkPort);
            a.Label(ref again);
            a.@in(al, 0x71);
            a.test(al, 0x40);
            a.jz(again);
            a.@out(dx, eax);
            a.jmp(again);
        });

        marks.ShouldTick(guest, rate);
    }

    private static Marks Attach(ChipGuest guest)
    {
        Marks marks = new();
        guest.Machine.Machine.Ports.Attach(MarkPort, marks);
        return marks;
    }

    private static void HandleByApic(ChipGuest guest) => guest.Handle(Vector, a =>
    {
        Mark(a);
        ChipGuest.EndOfInterrupt(a);
    });

    private static void Mark(Assembler a)
    {
        a.mov(dx, (short)MarkPort);
        a.@out(dx, eax);
    }

    private static void WaitForEver(Assembler a)
    {
        Label again = a.CreateLabel();
        a.Label(ref again);
        a.sti();
        a.hlt();
        a.jmp(again);
    }

    /// <summary>When the guest wrote what, until there is enough.</summary>
    private sealed class Marks : IPortHandler
    {
        private readonly List<(double Seconds, uint Value)> _marks = [];

        /// <summary>
        /// Something comes at a rate. It comes late by what a busy host makes of it, never early, so each window's position on the grid of
        /// periods is that of its least late one; the rate is the median of what each two windows say.
        /// </summary>
        public void ShouldTick(ChipGuest guest, double rate)
        {
            Run(guest);
            double first = _marks[0].Seconds;
            double[][] windows =
            [
                .. _marks.GroupBy(mark => (int)(mark.Seconds - first)).Where(static window => window.Key < Windows).OrderBy(static window => window.Key)
                    .Select(window => window.Select(mark => ((mark.Seconds - first) * rate) - Math.Round((mark.Seconds - first) * rate)).ToArray()),
            ];
            double expected = rate * (_marks[^1].Seconds - first);
            ((double)_marks.Count).Should().BeInRange(0.8 * expected, (1.001 * expected) + 2, "a late host loses some, and none is added");
            windows.Should().OnlyContain(static window => Concentration(window) > 0.5, "at another rate they would be anywhere between two ticks");
            double[] positions = [.. windows.Select(window => window.Min() / rate)];
            Judge(
            [
                .. from one in Enumerable.Range(0, positions.Length)
                   from other in Enumerable.Range(one + 1, positions.Length - one - 1)
                   select (positions[one] - positions[other]) / (other - one),
            ]);
        }

        /// <summary>A counter counts at a rate.</summary>
        public void ShouldCount(ChipGuest guest, double rate, int bits)
        {
            Run(guest);
            List<double> errors = [];
            ulong modulus = 1ul << bits;
            (double Seconds, uint Value) start = _marks[0];
            ulong counted = 0;
            for (int index = 1; index < _marks.Count; index++)
            {
                counted += (_marks[index].Value - (ulong)_marks[index - 1].Value) & (modulus - 1);
                double seconds = _marks[index].Seconds - start.Seconds;
                if (seconds >= 1)
                {
                    errors.Add((counted / seconds / rate) - 1);
                    start = _marks[index];
                    counted = 0;
                }
            }

            Judge(errors);
        }

        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Unclaimed;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            _marks.Add((Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency, value));
            if (_marks[^1].Seconds - _marks[0].Seconds > Windows + 0.5)
            {
                vcpu.RequestYield();
            }

            return PortOutcome.Handled;
        }

        private void Run(ChipGuest guest)
        {
            ExitCode code;
            do
            {
                code = guest.Machine.Run().Code;
            }
            while (_marks.Count == 0 || _marks[^1].Seconds - _marks[0].Seconds <= Windows + 0.5);
            code.Should().Be(ExitCode.Bogus);
        }

        /// <summary>One when all are at the same place of a period, zero when they are spread over it.</summary>
        private static double Concentration(double[] places) => Math.Sqrt(
            Math.Pow(places.Average(static place => Math.Cos(place * Math.Tau)), 2) + Math.Pow(places.Average(static place => Math.Sin(place * Math.Tau)), 2));

        private static void Judge(List<double> errors)
        {
            errors.Should().HaveCountGreaterThanOrEqualTo(5);
            double[] sorted = [.. errors.Order()];
            double median = sorted[sorted.Length / 2];
            TestContext.Out.WriteLine(
                $"{errors.Count} measurements: median {median * 1e6:0} ppm, from {sorted[0] * 1e6:0} to {sorted[^1] * 1e6:0}");
            median.Should().BeInRange(-Tolerance, Tolerance);
        }
    }
}
