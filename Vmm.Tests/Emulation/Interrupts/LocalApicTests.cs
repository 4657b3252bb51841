// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>Registers, errors, local interrupts, modes and the timer of the local APIC.</summary>
[TestFixture]
public sealed class LocalApicTests
{
    // 100 MHz: ten nanoseconds a count.
    private const long TimerFrequency = 100_000_000;
    private const long TscFrequency = 2_000_000_000;

    private ManualClock _clock = null!;
    private TestProcessor _cpu = null!;

    [SetUp]
    public void Create() => Create(ApicBasePolicy.Architectural);

    private LocalApic Apic => _cpu.Apic;

    [Test]
    public void Version_tells_seven_local_vectors() => Read(0x30).Should().Be(0x01060014);

    [TestCase(0, 4, 0x01060014u)]
    [TestCase(1, 1, 0x00u)]
    [TestCase(2, 2, 0x0106u)]
    [TestCase(4, 4, 0u)]
    public void Parts_of_a_register_are_read_where_they_are(int inside, int bytes, uint expected) =>
        Apic.ReadMmio((ulong)(0x30 + inside), bytes).Should().Be(expected);

    [Test]
    public void Parts_of_a_register_cannot_be_written()
    {
        Apic.WriteMmio(0x80, 1, 0x50);
        Apic.WriteMmio(0x81, 4, 0x50);
        Apic.WriteMmio(0x80, 8, 0x50);

        Read(0x80).Should().Be(0);
    }

    [Test]
    public void Vector_below_16_is_an_error_that_fires_its_local_vector()
    {
        Write(0x370, 0x55);
        Write(0x300, 0x0004_0005);
        uint before = Read(0x280);
        Write(0x280, 0);

        before.Should().Be(0);
        Read(0x280).Should().Be(1u << 5);
        _cpu.TakeAndEnd().Should().Be(0x55);
    }

    [Test]
    public void Access_to_no_register_is_an_error()
    {
        Read(0x40).Should().Be(0);
        Write(0x280, 0);

        Read(0x280).Should().Be(1u << 7);
    }

    [Test]
    public void Software_disable_masks_local_vectors_and_refuses_interrupts()
    {
        Write(0x320, 0x40);
        Write(0xf0, 0xff);
        Apic.SetInterrupt(0x60, level: false);

        Read(0x320).Should().Be(0x10040);
        _cpu.TakeAndEnd().Should().Be(-1);
    }

    [Test]
    public void Interrupt_waits_behind_the_task_priority()
    {
        Apic.TrySetTaskPriorityClass(6).Should().BeTrue();
        Apic.SetInterrupt(0x6f, level: false);
        bool early = Apic.TryGetPendingVector(out _);
        Apic.TrySetTaskPriorityClass(5).Should().BeTrue();

        early.Should().BeFalse();
        _cpu.TakeAndEnd().Should().Be(0x6f);
        Apic.TrySetTaskPriorityClass(16).Should().BeFalse("#GP");
    }

    [Test]
    public void Sink_is_told_once_for_a_vector_that_waits()
    {
        Apic.SetInterrupt(0x60, level: false);
        Apic.SetInterrupt(0x60, level: false);

        _cpu.Pending.Should().Be(1);
    }

    [TestCase(0x400u, 1, 0, 0)]
    [TestCase(0x500u, 0, 1, 0)]
    [TestCase(0x200u, 0, 0, 0)]
    [TestCase(0x700u, 0, 0, 1)]
    public void Local_interrupt_1_does_what_its_delivery_mode_says(uint lvt, int nmis, int inits, int externals)
    {
        Write(0x360, lvt);
        Apic.SetLocalInterrupt(1);

        (_cpu.Nmis, _cpu.Inits, _cpu.Externals).Should().Be((nmis, inits, externals));
    }

    [Test]
    public void Performance_interrupt_masks_itself()
    {
        Write(0x340, 0x66);
        Apic.SetLocalInterrupt(4);

        Read(0x340).Should().Be(0x10066);
        _cpu.TakeAndEnd().Should().Be(0x66);
    }

    [Test]
    public void External_interrupt_line_counts_by_its_level_behind_the_mask()
    {
        Write(0x350, 0x10700);
        Apic.SetLint0(true);
        bool masked = Apic.HasExternalInterrupt;
        Write(0x350, 0x700);
        bool unmasked = Apic.HasExternalInterrupt;
        Apic.SetLint0(false);

        (masked, unmasked, Apic.HasExternalInterrupt).Should().Be((false, true, false));
        _cpu.Externals.Should().Be(1, "the sink is told when the mask falls");
    }

    [Test]
    public void Disabled_APIC_lets_the_external_interrupt_line_through()
    {
        Apic.WriteMsr(LocalApic.ApicBaseMsr, 0xfee00100);
        Apic.SetLint0(true);

        Apic.HasExternalInterrupt.Should().BeTrue();
        Apic.ReadMmio(0x20, 4).Should().Be(0xffffffff);
        Apic.ReadMmio(0x20, 8).Should().Be(ulong.MaxValue);
    }

    [TestCase(ApicBasePolicy.Architectural, 0xfee00900ul, 0xfee00d00ul, MsrOutcome.Handled)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00d00ul, 0xfee00900ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00d00ul, 0xfee00100ul, MsrOutcome.Handled)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00100ul, 0xfee00d00ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00900ul, 0xfee00500ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00900ul, 0xfed00900ul, MsrOutcome.Handled)]
    [TestCase(ApicBasePolicy.Architectural, 0xfee00900ul, 0xfee00901ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.ModeChanges, 0xfee00900ul, 0xfed00900ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.ModeChanges, 0xfee00900ul, 0xfee00d00ul, MsrOutcome.Handled)]
    [TestCase(ApicBasePolicy.EnableOnly, 0xfee00900ul, 0xfee00d00ul, MsrOutcome.GeneralProtection)]
    [TestCase(ApicBasePolicy.EnableOnly, 0xfee00900ul, 0xfee00100ul, MsrOutcome.Handled)]
    [TestCase(ApicBasePolicy.EnableOnly, 0xfee00900ul, 0xfee00800ul, MsrOutcome.GeneralProtection)]
    public void Base_moves_only_along_the_arrows(ApicBasePolicy policy, ulong from, ulong to, MsrOutcome expected)
    {
        Create(policy);
        Apic.WriteMsr(LocalApic.ApicBaseMsr, from).Should().Be(MsrOutcome.Handled);

        Apic.WriteMsr(LocalApic.ApicBaseMsr, to).Should().Be(expected);
        Apic.ApicBase.Should().Be(expected == MsrOutcome.Handled ? to : from);
    }

    [Test]
    public void One_shot_fires_once_at_its_nanosecond()
    {
        Write(0x3e0, 0xb);
        Write(0x320, 0x40);
        Write(0x380, 1000);
        _clock.Advance(9_999);
        (uint count, int early) = (Read(0x390), _cpu.TakeAndEnd());
        _clock.Advance(1);
        int taken = _cpu.TakeAndEnd();
        _clock.Advance(100_000);

        (count, early, taken, _cpu.TakeAndEnd(), Read(0x390)).Should().Be((1u, -1, 0x40, -1, 0u));
    }

    [Test]
    public void Periodic_timer_does_not_drift()
    {
        // Counts of 7.45 ns, so that a period is no whole number of nanoseconds.
        Create(ApicBasePolicy.Architectural, LocalApicOptions.DefaultTimerFrequency);
        Write(0x3e0, 0xb);
        Write(0x320, 0x20040);
        Write(0x380, 1_000_003);
        _clock.AdvanceTo(60_000_000_000);

        UInt128 cycles = (UInt128)LocalApicOptions.DefaultTimerFrequency * 60;
        UInt128 next = ((cycles / 1_000_003) + 1) * 1_000_003 * 1_000_000_000;
        UInt128 frequency = LocalApicOptions.DefaultTimerFrequency;
        _clock.Deadlines.NextDue.Should().Be((long)((next + frequency - 1) / frequency));
    }

    [Test]
    public void Periodic_timer_that_is_a_period_late_starts_anew()
    {
        Write(0x3e0, 0xb);
        Write(0x320, 0x20040);
        Write(0x380, 1000);
        _clock.Jump(55_000);

        _clock.Deadlines.NextDue.Should().Be(65_000);
    }

    [Test]
    public void Tsc_deadline_fires_when_the_counter_gets_there()
    {
        Write(0x320, 0x40040);
        Apic.TscOffset = 1_000;
        Apic.WriteMsr(LocalApic.TscDeadlineMsr, 21_000).Should().Be(MsrOutcome.Handled);
        _clock.Advance(9_999);
        int early = _cpu.TakeAndEnd();
        _clock.Advance(1);
        Apic.ReadMsr(LocalApic.TscDeadlineMsr, out ulong after);

        (early, _cpu.TakeAndEnd(), after).Should().Be((-1, 0x40, 0ul));
    }

    [Test]
    public void Tsc_deadline_of_the_past_fires_at_once()
    {
        Write(0x320, 0x40040);
        _clock.Advance(1_000);
        Apic.WriteMsr(LocalApic.TscDeadlineMsr, 1);

        _cpu.TakeAndEnd().Should().Be(0x40);
    }

    [Test]
    public void Changing_to_tsc_deadline_mode_disarms()
    {
        Write(0x320, 0x40);
        Write(0x380, 1000);
        Write(0x320, 0x40040);

        _clock.Deadlines.NextDue.Should().Be(long.MaxValue);
        Read(0x380).Should().Be(0);
    }

    [Test]
    public void Host_calls_are_refused_by_the_documented_errors()
    {
        AtPicTests.ErrorOf(() => Apic.SetInterrupt(15, level: false)).Should().Be(VmmError.EINVAL);
        AtPicTests.ErrorOf(() => Apic.SetLocalInterrupt(7)).Should().Be(VmmError.EINVAL);
        AtPicTests.ErrorOf(() => Apic.SetLocalInterrupt(-1)).Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Init_keeps_the_mode_and_power_up_does_not()
    {
        Apic.SetX2Apic(true);
        Apic.ResetByInit();
        ApicMode afterInit = Apic.Mode;
        Apic.Reset();

        (afterInit, Apic.Mode, Read(0xf0)).Should().Be((ApicMode.X2Apic, ApicMode.XApic, 0xffu));
    }

    private void Create(ApicBasePolicy policy, long frequency = TimerFrequency)
    {
        _clock = new ManualClock();
        _cpu = new TestProcessor(new InterruptFabric(), _clock, new LocalApicOptions
        {
            IsBootstrap = true,
            BasePolicy = policy,
            TimerFrequency = frequency,
            TscFrequency = TscFrequency,
            HasEoiBroadcastSuppression = true,
        });
        Write(0xf0, 0x1ff);
    }

    private uint Read(ulong offset) => (uint)Apic.ReadMmio(offset, 4);

    private void Write(ulong offset, uint value) => Apic.WriteMmio(offset, 4, value);
}
