// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>State at random points of random runs, and random accesses of every size, which must never throw.</summary>
[TestFixture]
public sealed class InterruptStateTests
{
    [Test]
    public void State_goes_round_at_random_points_of_random_runs([Range(1, 20)] int seed)
    {
        Random random = new(seed);
        Machine machine = new();
        Machine other = new();
        for (int point = 0; point < 50; point++)
        {
            machine.Fuzz(random, 200);

            other.Pic.Restore(machine.Pic.Save());
            other.IoApic.Restore(machine.IoApic.Save());
            other.Cpu.Apic.Restore(machine.Cpu.Apic.Save());

            other.Pic.Save().Should().Be(machine.Pic.Save());
            other.IoApic.Save().Should().Be(machine.IoApic.Save());
            other.Cpu.Apic.Save().Should().Be(machine.Cpu.Apic.Save());
        }
    }

    [Test]
    public void Exchange_layouts_go_round_at_random_points_of_random_runs([Range(1, 20)] int seed)
    {
        Random random = new(seed);
        Machine machine = new();
        Machine other = new();
        for (int point = 0; point < 50; point++)
        {
            machine.Fuzz(random, 200);
            byte[] pic = Export(AtPic.LayoutLength, machine.Pic.ExportLayout);
            byte[] ioApic = Export(IoApic.LayoutLength, machine.IoApic.ExportLayout);
            byte[] apic = Export(LocalApic.LayoutLength, machine.Cpu.Apic.ExportLayout);

            other.Pic.ImportLayout(pic).Should().Be(VmmError.None);
            other.IoApic.ImportLayout(ioApic).Should().Be(VmmError.None);
            other.Cpu.Apic.SetX2Apic(machine.Cpu.Apic.Mode == ApicMode.X2Apic);
            bool grouped = other.Cpu.Apic.ImportLayout(apic) == VmmError.None;

            Export(AtPic.LayoutLength, other.Pic.ExportLayout).Should().Equal(pic);
            Export(IoApic.LayoutLength, other.IoApic.ExportLayout).Should().Equal(WithoutRemoteIrr(ioApic));
            (grouped ? Export(LocalApic.LayoutLength, other.Cpu.Apic.ExportLayout) : apic).Should().Equal(apic);
        }
    }

    [Test]
    public void Any_bytes_are_taken_cleaned_or_refused([Range(1, 20)] int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 200; round++)
        {
            Machine machine = new();
            byte[] bytes = new byte[IoApic.LayoutLength];
            random.NextBytes(bytes);
            machine.IoApic.ImportLayout(bytes);
            machine.Pic.ImportLayout(bytes);
            byte[] apic = Export(LocalApic.LayoutLength, machine.Cpu.Apic.ExportLayout);
            for (int change = 0; change < 4; change++)
            {
                apic[random.Next(apic.Length)] = (byte)random.Next(256);
            }

            machine.Cpu.Apic.ImportLayout(apic);
            machine.Fuzz(random, 100);
            byte[] once = Export(AtPic.LayoutLength, machine.Pic.ExportLayout);
            machine.Pic.ImportLayout(once).Should().Be(VmmError.None);
            Export(AtPic.LayoutLength, machine.Pic.ExportLayout).Should().Equal(once);
        }
    }

    [TestCase(4, (byte)1, Description = "version")]
    [TestCase(0, (byte)1, Description = "id")]
    [TestCase(9, (byte)1, Description = "task priority above 255")]
    [TestCase(28, (byte)1, Description = "vector 0 in service")]
    [TestCase(31, (byte)3, Description = "two vectors in service in a group of 8")]
    [TestCase(124, (byte)0x10, Description = "an error that does not exist")]
    [TestCase(177, (byte)0x04, Description = "x2APIC mode")]
    [TestCase(177, (byte)0x01, Description = "the bootstrap flag")]
    public void Local_APIC_layout_that_cannot_be_is_refused(int offset, byte flip)
    {
        LocalApic apic = new Machine().Cpu.Apic;
        byte[] layout = Export(LocalApic.LayoutLength, apic.ExportLayout);
        layout[offset] ^= flip;

        apic.ImportLayout(layout).Should().Be(VmmError.EINVAL);
    }

    [TestCase(0, (byte)4)]
    [TestCase(7, (byte)1)]
    [TestCase(47, (byte)1)]
    public void Pic_layout_that_cannot_be_is_refused(int offset, byte value)
    {
        AtPic pic = new Machine().Pic;
        byte[] layout = Export(AtPic.LayoutLength, pic.ExportLayout);
        layout[offset] |= value;

        pic.ImportLayout(layout).Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Any_access_of_any_width_at_any_place_is_answered([Range(1, 10)] int seed)
    {
        Random random = new(seed);
        Machine machine = new(hasEoiRegister: true);
        for (int access = 0; access < 3000; access++)
        {
            machine.FuzzAnywhere(random);
            if (access % 50 == 0)
            {
                machine.Fuzz(random, 20);
                machine.Clock.Jump(random.Next(3) == 0 ? random.NextInt64(1L << 50) : random.Next(100_000));
            }
        }

        machine.Cpu.Apic.Save().Should().NotBeNull();
        machine.IoApic.Save().Entries.Should().HaveCount(32);
    }

    [Test]
    public void Running_timer_goes_on_after_restore()
    {
        Machine machine = new();
        machine.Cpu.Apic.WriteMmio(0xf0, 4, 0x1ff);
        machine.Cpu.Apic.WriteMmio(0x320, 4, 0x40);
        machine.Cpu.Apic.WriteMmio(0x380, 4, 1000);
        Machine other = new();
        other.Cpu.Apic.Restore(machine.Cpu.Apic.Save());

        other.Clock.Deadlines.NextDue.Should().Be(machine.Clock.Deadlines.NextDue).And.NotBe(long.MaxValue);
    }

    private static byte[] WithoutRemoteIrr(byte[] layout)
    {
        byte[] cleaned = [.. layout];
        for (int pin = 0; pin < 32; pin++)
        {
            cleaned[(pin * 8) + 1] &= 0xaf;
        }

        return cleaned;
    }

    private delegate void Exporter(Span<byte> destination);

    private static byte[] Export(int length, Exporter export)
    {
        byte[] bytes = new byte[length];
        export(bytes);
        return bytes;
    }

    private sealed class Machine : IInterruptLine
    {
        private static readonly ushort[] s_ports = [.. AtPic.Ports, 0x22];

        public Machine(bool hasEoiRegister = false)
        {
            InterruptFabric fabric = new();
            Cpu = new TestProcessor(fabric, Clock, new LocalApicOptions { TscFrequency = 1_000_000_000 });
            IoApic = new IoApic(fabric, new IoApicOptions { HasEoiRegister = hasEoiRegister });
            Pic = new AtPic(this);
        }

        public ManualClock Clock { get; } = new();

        public TestProcessor Cpu { get; }

        public IoApic IoApic { get; }

        public AtPic Pic { get; }

        public void SetLevel(bool asserted) => Cpu.Apic.SetLint0(asserted);

        public void Fuzz(Random random, int accesses)
        {
            for (int access = 0; access < accesses; access++)
            {
                Access(random, 1 << random.Next(4));
            }
        }

        /// <summary>One access of any width, port, offset or register to each chip, and a directed or broadcast end of interrupt.</summary>
        public void FuzzAnywhere(Random random)
        {
            ulong value = (ulong)random.NextInt64() | ((ulong)random.Next(2) << 63);
            ulong offset = random.Next(3) switch
            {
                0 => (ulong)random.NextInt64() | ((ulong)random.Next(2) << 63),
                1 => (ulong)random.Next(0x1000),
                _ => (ulong)random.Next(0x40) << 4,
            };
            int bytes = random.Next(-1, 18);
            ushort port = random.Next(2) == 0 ? s_ports[random.Next(s_ports.Length)] : (ushort)random.Next(0x10000);
            uint register = random.Next(2) == 0 ? 0x800 + (uint)random.Next(0x100) : (uint)value;
            Pic.WritePort(port, bytes, (uint)value);
            Pic.ReadPort(port, bytes, out _);
            IoApic.WriteMmio(offset, bytes, value);
            IoApic.ReadMmio(offset, bytes);
            IoApic.WriteMmio(0x40, sizeof(uint), value);
            IoApic.EndOfInterrupt((byte)value);
            Cpu.Apic.WriteMmio(offset, bytes, value);
            Cpu.Apic.ReadMmio(offset, bytes);
            Cpu.Apic.WriteMsr(register, value);
            Cpu.Apic.ReadMsr(register, out _);
            Cpu.Apic.WriteMmio(0xf0, sizeof(uint), 0x1ff | (value & 0x1000));
        }

        private void Access(Random random, int bytes)
        {
            ulong value = (ulong)random.NextInt64() & (random.Next(2) == 0 ? 0xffff : ulong.MaxValue);
            ulong offset = random.Next(4) == 0 ? (ulong)random.Next(0x1100) : (ulong)random.Next(0x40) << 4;
            ushort port = s_ports[random.Next(s_ports.Length)];
            switch (random.Next(15))
            {
                case 0 or 1:
                    Pic.WritePort(port, random.Next(4) == 0 ? bytes : 1, (uint)value).Should().BeOneOf(
                        PortOutcome.Handled, PortOutcome.Refused, PortOutcome.Unclaimed);
                    break;
                case 2:
                    Pic.ReadPort(port, bytes, out _);
                    break;
                case 3:
                    Pic.PulseIrq(random.Next(16));
                    break;
                case 4:
                    Pic.Acknowledge();
                    break;
                case 5 or 6:
                    IoApic.WriteMmio((ulong)random.Next(2) * 0x10, random.Next(4) == 0 ? bytes : 4, value);
                    break;
                case 7:
                    IoApic.ReadMmio(offset, bytes);
                    IoApic.AssertPin(random.Next(32));
                    break;
                case 8 or 9:
                    Cpu.Apic.WriteMmio(offset, random.Next(4) == 0 ? bytes : 4, value);
                    break;
                case 10:
                    Cpu.Apic.ReadMmio(offset, bytes);
                    break;
                case 11:
                    Cpu.Apic.WriteMsr(0x800 + ((uint)random.Next(0x100)), value);
                    Cpu.Apic.WriteMsr(LocalApic.TscDeadlineMsr, value);
                    Cpu.Apic.ReadMsr(0x800 + ((uint)random.Next(0x100)), out _);
                    break;
                case 12:
                    Cpu.Apic.WriteMsr(LocalApic.ApicBaseMsr, 0xfee00000 | ((value & 3) << 10));
                    break;
                case 13:
                    Cpu.Apic.WriteMmio(0xf0, 4, 0x1ff);
                    Cpu.TakeAndEnd();
                    break;
                default:
                    Clock.Advance(random.Next(10_000));
                    break;
            }
        }
    }
}
