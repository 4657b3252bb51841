// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>Who hears a message: destinations, shorthands, priorities; and the I/O APIC's part in it.</summary>
[TestFixture]
public sealed class InterruptFabricTests
{
    private const byte Vector = 0x61;

    private ManualClock _clock = null!;
    private InterruptFabric _fabric = null!;
    private TestProcessor[] _cpus = null!;

    [TestCase(2u, false, "2")]
    [TestCase(0xffu, false, "0 1 2 3")]
    [TestCase(9u, false, "")]
    [TestCase(0x5u, true, "0 2")]
    [TestCase(0xffu, true, "0 1 2 3")]
    public void Flat_destinations(uint destination, bool logical, string expected)
    {
        Create(4, x2: false);
        Each((cpu, index) => cpu.Apic.WriteMmio(0xd0, 4, 1u << (24 + index)));

        _fabric.Deliver(new InterruptMessage(destination, DeliveryMode.Fixed, Vector, logical));

        Takers().Should().Be(expected);
    }

    [TestCase(0x13u, "2 3")]
    [TestCase(0x03u, "0 1")]
    [TestCase(0x21u, "")]
    public void Cluster_destinations(uint destination, string expected)
    {
        Create(4, x2: false);
        Each((cpu, index) =>
        {
            cpu.Apic.WriteMmio(0xe0, 4, 0x0fffffff);
            cpu.Apic.WriteMmio(0xd0, 4, ((uint)(index / 2) << 28) | (1u << (24 + (index % 2))));
        });

        _fabric.Deliver(new InterruptMessage(destination, DeliveryMode.Fixed, Vector, IsLogical: true));

        Takers().Should().Be(expected);
    }

    [TestCase(300u, false, "300")]
    [TestCase(0x0012_8001u, true, "288 303")]
    [TestCase(0xffu, false, "255")]
    public void X2Apic_reaches_processors_above_255(uint destination, bool logical, string expected)
    {
        Create(304, x2: true);

        _cpus[0].Apic.WriteMsr(0x830, ((ulong)destination << 32) | (logical ? 0x800u : 0) | Vector);

        Takers().Should().Be(expected);
    }

    [TestCase(0x40000u, "1")]
    [TestCase(0x80000u, "0 1 2 3")]
    [TestCase(0xc0000u, "0 2 3")]
    public void Shorthands(uint shorthand, string expected)
    {
        Create(4, x2: false);

        _cpus[1].Apic.WriteMmio(0x300, 4, shorthand | Vector);

        Takers().Should().Be(expected);
    }

    [Test]
    public void Lowest_priority_goes_to_the_processor_with_the_lowest_and_then_to_the_first()
    {
        Create(3, x2: false);
        _cpus[0].Apic.TrySetTaskPriorityClass(4);

        _fabric.Deliver(new InterruptMessage(0xff, DeliveryMode.LowestPriority, Vector));

        Takers().Should().Be("1");
    }

    [Test]
    public void Init_and_start_up_reach_the_other_processors()
    {
        Create(2, x2: false);

        _cpus[0].Apic.WriteMmio(0x300, 4, 0xc4500);
        _cpus[0].Apic.WriteMmio(0x300, 4, 0xc8500);
        _cpus[0].Apic.WriteMmio(0x300, 4, 0xc4608);

        (_cpus[1].Inits, _cpus[1].StartUpVector, _cpus[0].Inits).Should().Be((1, 8, 0), "level de-assert is no INIT");
    }

    [Test]
    public void Disabled_processors_hear_nothing()
    {
        Create(2, x2: false);
        _cpus[1].Apic.WriteMsr(LocalApic.ApicBaseMsr, 0xfee00000);

        _fabric.Deliver(new InterruptMessage(0xff, DeliveryMode.Nmi, 0)).Should().BeTrue();

        (_cpus[0].Nmis, _cpus[1].Nmis).Should().Be((1, 0));
    }

    [TestCase(0xfee0_2000ul, false, 2u, false)]
    [TestCase(0xfee0_2004ul, false, 2u, true)]
    [TestCase(0xfee0_2fe0ul, true, 0x7f02u, false)]
    [TestCase(0xfee0_2fe0ul, false, 2u, false)]
    public void Msi_address_names_its_destination(ulong address, bool extended, uint destination, bool logical)
    {
        Msi.TryDecode(address, 0x161, extended, out InterruptMessage message).Should().BeTrue();

        message.Should().Be(new InterruptMessage(destination, DeliveryMode.LowestPriority, Vector, logical, IsWide: destination > 255));
    }

    [TestCase(0xfed0_0000ul)]
    [TestCase(0x1_fee0_0000ul)]
    public void Other_addresses_are_no_msi(ulong address) => Msi.TryDecode(address, 0, false, out _).Should().BeFalse();

    [Test]
    public void Level_interrupt_comes_again_until_its_line_falls()
    {
        Create(1, x2: false);
        IoApic ioApic = new(_fabric);
        Program(ioApic, 5, 0x8000u | Vector);
        ioApic.AssertPin(5);
        (int first, int second) = (_cpus[0].TakeAndEnd(), _cpus[0].TakeAndEnd());
        ioApic.DeassertPin(5);
        int third = _cpus[0].TakeAndEnd();

        (first, second, third, _cpus[0].TakeAndEnd()).Should().Be((Vector, Vector, Vector, -1));
    }

    [Test]
    public void Suppressed_broadcast_is_made_up_for_by_the_eoi_register()
    {
        Create(1, x2: false, suppression: true);
        List<int> ended = [];
        IoApic ioApic = new(_fabric, new IoApicOptions { HasEoiRegister = true, Ended = ended.Add });
        _cpus[0].Apic.WriteMmio(0xf0, 4, 0x11ff);
        Program(ioApic, 5, 0x8000u | Vector);
        ioApic.AssertPin(5);
        (int first, int second) = (_cpus[0].TakeAndEnd(), _cpus[0].TakeAndEnd());
        ioApic.WriteMmio(0x40, 4, Vector);

        (first, second, _cpus[0].TakeAndEnd()).Should().Be((Vector, -1, Vector));
        ended.Should().Equal(5);
    }

    [Test]
    public void Pin_that_falls_when_its_device_is_told_of_the_end_does_not_send_again()
    {
        Create(1, x2: false);
        IoApic? ioApic = null;
        ioApic = new(_fabric, new IoApicOptions { Ended = pin => ioApic!.DeassertPin(pin) });
        Program(ioApic, 5, 0x8000u | Vector);
        ioApic.AssertPin(5);

        (_cpus[0].TakeAndEnd(), _cpus[0].TakeAndEnd()).Should().Be((Vector, -1));
        ioApic.AssertPin(5);
        _cpus[0].TakeAndEnd().Should().Be(Vector, "the pin waits for no end any more");
    }

    [Test]
    public void Io_apic_refuses_by_the_documented_errors()
    {
        Create(1, x2: false);
        IoApic ioApic = new(_fabric, new IoApicOptions { PinCount = 24 });

        AtPicTests.ErrorOf(() => ioApic.AssertPin(24)).Should().Be(VmmError.EINVAL);
        AtPicTests.ErrorOf(() => ioApic.PulsePin(-1)).Should().Be(VmmError.EINVAL);
        AtPicTests.ErrorOf(() => ioApic.DeassertPin(1)).Should().Be(VmmError.ERANGE);
        ioApic.Restore(ioApic.Save() with { Assertions = new PinCounters([.. Enumerable.Repeat(uint.MaxValue, 24)]) });
        AtPicTests.ErrorOf(() => ioApic.AssertPin(1)).Should().Be(VmmError.E2BIG);
    }

    [Test]
    public void Two_processors_with_one_id_are_refused()
    {
        Create(1, x2: false);

        AtPicTests.ErrorOf(() => _ = new TestProcessor(_fabric, _clock, new LocalApicOptions())).Should().Be(VmmError.EEXIST);
    }

    [Test]
    public void Hot_paths_allocate_nothing()
    {
        Create(4, x2: false);
        IoApic ioApic = new(_fabric);
        Program(ioApic, 5, 0x8000u | Vector);
        Program(ioApic, 6, 0x0931u);
        Drive(ioApic, 100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Drive(ioApic, 10_000);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    private void Drive(IoApic ioApic, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            ioApic.AssertPin(5);
            ioApic.DeassertPin(5);
            ioApic.PulsePin(6);
            _fabric.SignalMsi(0xfee00000, 0x41);
            _cpus[1].Apic.WriteMmio(0x300, 4, 0x80051);
            _cpus[0].Apic.WriteMmio(0x380, 4, 1000);
            _clock.Advance(10_000);
            while (_cpus[0].TakeAndEnd() >= 0)
            {
            }
        }
    }

    private static void Program(IoApic ioApic, int pin, uint low)
    {
        ioApic.WriteMmio(0, 4, (ulong)(0x11 + (pin * 2)));
        ioApic.WriteMmio(0x10, 4, 0);
        ioApic.WriteMmio(0, 4, (ulong)(0x10 + (pin * 2)));
        ioApic.WriteMmio(0x10, 4, low);
    }

    private void Create(int count, bool x2, bool suppression = false)
    {
        _clock = new ManualClock();
        _fabric = new InterruptFabric(maximumApicId: count);
        _cpus =
        [
            .. Enumerable.Range(0, count).Select(id => new TestProcessor(
                _fabric, _clock, new LocalApicOptions { Id = (uint)id, HasEoiBroadcastSuppression = suppression })),
        ];
        Each((cpu, _) => cpu.Apic.WriteMmio(0xf0, 4, 0x1ff));
        if (x2)
        {
            Each((cpu, _) => cpu.Apic.SetX2Apic(true));
        }
    }

    private void Each(Action<TestProcessor, int> action)
    {
        for (int index = 0; index < _cpus.Length; index++)
        {
            action(_cpus[index], index);
        }
    }

    private string Takers() => string.Join(
        ' ', Enumerable.Range(0, _cpus.Length).Where(index => _cpus[index].Apic.TryGetPendingVector(out _)));
}
