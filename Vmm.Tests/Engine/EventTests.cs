// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Exceptions, events cut short, NMIs and external interrupts on their way into the guest.</summary>
public sealed class EventTests : EngineFixture
{
    private static EventInformation Interrupt => EventInformation.Create(EventType.HardwareInterrupt, 0x30);

    private static EventInformation DoubleFault =>
        EventInformation.Create(EventType.HardwareException, 8, errorCode: 0);

    [TestCase(2)]
    [TestCase(8)]
    [TestCase(32)]
    [TestCase(255)]
    public void Vector_that_cannot_be_injected_is_EINVAL(int vector)
    {
        Action inject = () => Cpu.Inject(new GuestException((ExceptionVector)vector, null, true));

        inject.ShouldFail(VmmError.EINVAL);
        Cpu.GetPendingEvents().Exception.IsValid.Should().BeFalse();
    }

    [Test]
    [Proves("vm_inject_exception")]
    public void Second_exception_is_EBUSY()
    {
        Cpu.Inject(GuestException.InvalidOpcode());
        Action again = () => Cpu.Inject(GuestException.GeneralProtection());

        again.ShouldFail(VmmError.EBUSY);
        Cpu.GetPendingEvents().Exception.Vector.Should().Be(6);
    }

    [TestCase(0ul, false)]
    [TestCase(1ul, true)]
    public void Error_code_is_dropped_in_real_mode(ulong cr0, bool kept)
    {
        Cpu.SetRegister(RegisterName.Cr0, cr0);
        Cpu.Inject(GuestException.GeneralProtection(0x18));

        EventInformation queued = Cpu.GetPendingEvents().Exception;
        queued.Type.Should().Be(EventType.HardwareException);
        queued.HasErrorCode.Should().Be(kept);
        queued.ErrorCode.Should().Be(kept ? 0x18u : 0u);
    }

    [Test]
    public void Injection_ends_the_interrupt_shadow_and_a_page_fault_sets_CR2()
    {
        Cpu.SetRegister(RegisterName.InterruptShadow, 1);
        Cpu.SetRegister(RegisterName.Cr2, 5);
        Cpu.Inject(GuestException.PageFault(2, new GuestLinearAddress(0xdead000)));

        Cpu.GetRegister(RegisterName.InterruptShadow).Should().Be(0);
        Cpu.GetRegister(RegisterName.Cr2).Should().Be(0xdead000);
        Cpu.Counters.Exceptions.Should().Be(1);
    }

    [Test]
    public void Injected_exception_is_delivered_at_the_next_entry_once()
    {
        FakeVcpu guest = Start().ThenPause().ThenPause();
        Cpu.SetRegister(RegisterName.Cr0, 1);
        Cpu.Inject(GuestException.StackFault(4));

        Run();
        Run();

        guest.Delivered.Should().Equal(EventInformation.Create(EventType.HardwareException, 12, 4));
    }

    [Test]
    [Proves("vm_exit_intinfo")]
    public void Event_cut_short_is_checked()
    {
        Setting(EventInformation.Create(EventType.Nmi, 3)).ShouldFail(VmmError.EINVAL);
        Setting(EventInformation.Create(EventType.HardwareException, 32)).ShouldFail(VmmError.EINVAL);
        Setting(new EventInformation(Interrupt.Value | (1 << 12))).ShouldFail(VmmError.EINVAL);
        Setting(new EventInformation(Interrupt.Value | (1ul << 30))).ShouldFail(VmmError.EINVAL);
        Setting(EventInformation.Create(EventType.Nmi, 2)).Should().NotThrow();
        Setting(EventInformation.Create(EventType.SoftwareInterrupt, 0x80)).Should().NotThrow();
        Setting(new EventInformation(0x7ffff000)).Should().NotThrow("without the valid bit it only extinguishes");
        Cpu.GetPendingEvents().ExitEvent.Should().Be(EventInformation.None);
    }

    [Test]
    [Proves("vm_get_intinfo")]
    public void Pending_events_are_looked_at_without_being_taken()
    {
        Cpu.SetExitEvent(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());

        Cpu.GetPendingEvents().Should().Be(Cpu.GetPendingEvents());
        Cpu.GetPendingEvents().ExitEvent.Should().Be(Interrupt);
        Cpu.GetPendingEvents().Exception.Vector.Should().Be(6);
    }

    /// <summary>Every pair of events of the classes benign, contributory and page fault.</summary>
    private static IEnumerable<TestCaseData> Pairs()
    {
        int[] contributory = [0, 10, 11, 12, 13];
        int[] pageFaults = [14, 20];
        for (int older = 0; older < 32; older++)
        {
            if (older is 2 or 8)
            {
                continue;
            }

            for (int newer = 0; newer < 32; newer++)
            {
                if (newer is not (2 or 8))
                {
                    bool both = contributory.Contains(older) && contributory.Contains(newer);
                    bool after = pageFaults.Contains(older) && (contributory.Contains(newer) || pageFaults.Contains(newer));
                    yield return new TestCaseData((byte)older, (byte)newer, both || after);
                }
            }
        }
    }

    [Test]
    public void Combination_of_two_exceptions_follows_the_double_fault_table() =>
        Assert.Multiple(() =>
        {
            foreach (TestCaseData pair in Pairs())
            {
                byte older = (byte)pair.Arguments[0]!;
                byte newer = (byte)pair.Arguments[1]!;
                EventInformation first = EventInformation.Create(EventType.HardwareException, older);
                EventInformation second = EventInformation.Create(EventType.HardwareException, newer, 1);
                EventCombinationResult result =
                    EventCombination.Combine(first, second, out EventInformation combined, out EventInformation left);

                bool doubles = (bool)pair.Arguments[2]!;
                result.Should().Be(EventCombinationResult.Event);
                combined.Should().Be(doubles ? DoubleFault : second, "{0} then {1}", older, newer);
                left.Should().Be(doubles ? EventInformation.None : first, "{0} then {1}", older, newer);
            }
        });

    [TestCase(EventType.HardwareInterrupt, 14)]
    [TestCase(EventType.SoftwareInterrupt, 13)]
    [TestCase(EventType.Nmi, 2)]
    public void Event_that_is_no_exception_is_benign_whatever_its_vector(EventType type, int vector)
    {
        EventInformation older = EventInformation.Create(type, (byte)vector);
        Cpu.SetExitEvent(older);
        Cpu.Inject(GuestException.GeneralProtection());

        Cpu.TryTakeEntryEvent(out EventInformation taken).Should().BeTrue();

        taken.Vector.Should().Be(13);
        Cpu.GetPendingEvents().Should().Be((older, EventInformation.None));
    }

    [Test]
    [Proves("vm_entry_intinfo")]
    public void Taking_events_one_by_one()
    {
        Cpu.TryTakeEntryEvent(out EventInformation none).Should().BeFalse();
        none.Should().Be(EventInformation.None);
        Cpu.SetExitEvent(Interrupt);
        Cpu.TryTakeEntryEvent(out EventInformation first).Should().BeTrue();
        first.Should().Be(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());
        Cpu.TryTakeEntryEvent(out EventInformation second).Should().BeTrue();
        second.Vector.Should().Be(6);
        Cpu.TryTakeEntryEvent(out _).Should().BeFalse("taken is taken");
    }

    [Test]
    public void Exception_during_a_double_fault_is_a_triple_fault_and_the_guest_is_not_entered()
    {
        FakeVcpu guest = Start().ThenPause();
        Cpu.SetExitEvent(DoubleFault);
        Cpu.Inject(new GuestException(ExceptionVector.Debug, null, false));

        Run().Suspended.Should().Be(SuspendReason.TripleFault);

        guest.Entries.Should().Be(0);
        guest.Delivered.Should().BeEmpty();
    }

    [Test]
    public void Older_event_follows_after_the_exception_that_overtook_it()
    {
        FakeVcpu guest = Start().ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenPause();
        Cpu.SetExitEvent(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Delivered.Select(info => info.Vector).Should().Equal(6, 0x30);
    }

    [Test]
    public void Exception_queued_while_the_hypervisor_delivers_another_event_is_combined_with_it()
    {
        FakeVcpu guest = Start().ThenExit(ExitCode.Bogus).ThenPause();
        guest.CutDelivery(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());
        Run();
        guest.Delivered.Select(info => info.Vector).Should().Equal(6, 0x30);
    }

    [Test]
    public void Fault_while_the_hypervisor_delivers_a_fault_is_a_double_fault()
    {
        FakeVcpu guest = Start().ThenPause();
        guest.CutDelivery(EventInformation.Create(EventType.HardwareException, 14, 2));
        Cpu.Inject(GuestException.GeneralProtection());

        Run();

        guest.Delivered.Should().Equal(DoubleFault);
    }

    [Test]
    public void Two_events_cut_short_are_delivered_one_after_the_other()
    {
        FakeVcpu guest = Start().ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenPause();
        EventInformation other = EventInformation.Create(EventType.HardwareInterrupt, 0x31);
        guest.CutDelivery(other);
        Cpu.SetExitEvent(Interrupt);

        Run();

        guest.Delivered.Should().Equal(other, Interrupt);
    }

    [Test]
    [Proves("vm_inject_nmi", "vm_nmi_pending", "vm_nmi_clear")]
    public void Nmis_collapse_until_one_is_delivered()
    {
        FakeVcpu guest = Start().ThenPause();
        Cpu.InjectNmi();
        Cpu.InjectNmi();
        Cpu.IsNmiPending.Should().BeTrue();

        Run();

        guest.Nmis.Should().Be(1);
        Cpu.IsNmiPending.Should().BeFalse();
        Cpu.Counters.Nmis.Should().Be(1);
        Action clear = Cpu.ClearNmi;
        clear.Should().Throw<InvalidOperationException>();
        Action clearInterrupt = Cpu.ClearExternalInterrupt;
        clearInterrupt.Should().Throw<InvalidOperationException>();
    }

    [Test]
    [Proves("vm_inject_extint", "vm_extint_pending", "vm_extint_clear")]
    public void External_interrupt_gets_its_vector_when_the_guest_takes_it()
    {
        FakeVcpu guest = Start().ThenPause();
        Source source = new(0x21);
        Machine.ExternalInterruptSource = source;
        Cpu.SetRegister(RegisterName.Rflags, 0x202);
        Cpu.InjectExternalInterrupt();
        source.Acknowledged.Should().Be(0);

        Run();

        source.Acknowledged.Should().Be(1);
        guest.Delivered.Should().Equal(EventInformation.Create(EventType.HardwareInterrupt, 0x21));
        Cpu.IsExternalInterruptPending.Should().BeFalse();
        Cpu.Counters.ExternalInterrupts.Should().Be(1);
    }

    [Test]
    public void External_interrupt_waits_for_the_window()
    {
        FakeVcpu guest = Start()
            .ThenExit(ExitCode.Bogus)
            .Then((FakeVcpu vcpu, ref VmExit exit) =>
            {
                vcpu.SetRegister(RegisterName.Rflags, 0x202);
                exit.Set(ExitCode.InterruptWindow, 0);
            })
            .ThenPause();
        Machine.ExternalInterruptSource = new Source(0x21);
        Cpu.InjectExternalInterrupt();

        Run();

        guest.Delivered.Select(info => info.Vector).Should().Equal(0x21);
        guest.InterruptWindowRequested.Should().BeFalse();
    }

    [Test]
    public void Window_closes_when_nobody_waits_for_it_any_more()
    {
        FakeVcpu guest = Start().ThenPause().ThenPause();
        Machine.ExternalInterruptSource = new Source(0x21);
        Cpu.InjectExternalInterrupt();
        Run();
        guest.InterruptWindowRequested.Should().BeTrue("the guest has interrupts disabled");
        Cpu.ClearExternalInterrupt();
        Cpu.SetRegister(RegisterName.Rflags, 0x202);

        Run().Code.Should().Be(ExitCode.Pause);

        guest.InterruptWindowRequested.Should().BeFalse();
        guest.Entries.Should().Be(2);
    }

    [Test]
    public void Exception_goes_before_an_external_interrupt()
    {
        FakeVcpu guest = Start().ThenExit(ExitCode.Bogus).ThenPause();
        Machine.ExternalInterruptSource = new Source(0x21);
        Cpu.SetRegister(RegisterName.Rflags, 0x202);
        Cpu.InjectExternalInterrupt();
        Cpu.Inject(GuestException.InvalidOpcode());

        Run();

        guest.Delivered.Select(info => info.Vector).Should().Equal(6, 0x21);
    }

    private Action Setting(EventInformation information) => () => Cpu.SetExitEvent(information);

    private sealed class Source(byte vector) : IExternalInterruptSource
    {
        public int Acknowledged { get; private set; }

        public byte Acknowledge()
        {
            Acknowledged++;
            return vector;
        }
    }

    [Test]
    public void Exception_that_the_hypervisor_has_pending_comes_before_the_engines_events()
    {
        FakeVcpu guest = Start().ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenExit(ExitCode.Bogus).ThenPause();
        EventInformation trap = EventInformation.Create(EventType.HardwareException, 1);
        guest.Events = guest.Events with { Pending = trap };
        Cpu.SetExitEvent(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());

        Run();

        guest.Delivered.Select(info => info.Vector).Should().Equal(1, 6, 0x30);
    }

    [Test]
    public void New_event_cut_short_takes_the_place_of_all_that_wait()
    {
        Cpu.SetExitEvent(Interrupt);
        Cpu.Inject(GuestException.InvalidOpcode());
        Cpu.TryTakeEntryEvent(out _).Should().BeTrue();
        Cpu.GetPendingEvents().ExitEvent.Should().Be(Interrupt, "the exception went first");

        Cpu.SetExitEvent(EventInformation.None);

        Cpu.TryTakeEntryEvent(out _).Should().BeFalse();
    }
}
