// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Port handlers: registration, single and string accesses, and what nobody claims.</summary>
public sealed class PortTests : EngineFixture
{
    [Test]
    [Proves("vm_ioport_attach", "vm_ioport_detach")]
    public void Port_has_one_handler_until_it_is_detached()
    {
        IDisposable first = Machine.Ports.Attach(0x80, new FakePort());
        Attaching(0x80).ShouldFail(VmmError.EEXIST);
        Hooking(0x80).ShouldFail(VmmError.EEXIST);
        first.Dispose();
        IDisposable second = Machine.Ports.Attach(0x80, new FakePort());
        first.Dispose();
        Attaching(0x80).ShouldFail(VmmError.EEXIST, "a registration detaches once");
        second.Dispose();
        Attaching(0x80).Should().NotThrow();
    }

    [Test]
    public void Number_of_handlers_is_limited_and_looked_at_first()
    {
        Use(Options() with { MaxPortHandlers = 2 });
        IDisposable first = Machine.Ports.Attach(0, new FakePort());
        Machine.Ports.Hook(0xffff, new FakePort());

        Attaching(5).ShouldFail(VmmError.ENOSPC);
        Attaching(0).ShouldFail(VmmError.ENOSPC, "the limit comes before the port");
        first.Dispose();
        Attaching(5).Should().NotThrow();
    }

    [Test]
    [Proves("vm_ioport_hook")]
    public void Hook_gets_the_guests_accesses_until_it_is_taken_back()
    {
        int accesses = 0;
        IDisposable hook = Machine.Ports.Hook(0x80, new FakePort { During = _ => accesses++ });
        Start().ThenOut(0x80, 1, 5).ThenOut(0x80, 1, 6).ThenPause();
        Run();
        accesses.Should().Be(2);

        hook.Dispose();

        Hooking(0x80).Should().NotThrow();
    }

    [Test]
    public void Port_zero_cannot_be_hooked()
    {
        Hooking(0).ShouldFail(VmmError.EINVAL);
        Attaching(0).Should().NotThrow();
    }

    [TestCase(0)]
    [TestCase(3)]
    [TestCase(8)]
    public void Access_by_hand_has_one_two_or_four_bytes(int bytes)
    {
        uint value = 0;
        Action access = () => Machine.Ports.Access(Cpu, true, 0x80, bytes, ref value);

        access.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    [Proves("vm_ioport_access")]
    public void Access_by_hand_goes_to_the_handler_with_values_cut_to_their_width()
    {
        FakePort port = new();
        port.Values.Clear();
        port.Values.Enqueue(0xaabbccdd);
        Machine.Ports.Attach(0x80, port);
        uint value = 0x11223344;
        Machine.Ports.Access(Cpu, false, 0x80, 2, ref value).Should().Be(PortOutcome.Handled);
        Machine.Ports.Access(Cpu, true, 0x80, 1, ref value).Should().Be(PortOutcome.Handled);

        value.Should().Be(0xdd);
        port.Accesses[0].Should().Be((false, 0x80, 2, 0x3344u));
        Machine.Ports.Access(Cpu, true, 0x81, 1, ref value).Should().Be(PortOutcome.Unclaimed);
        port.Outcome = () => PortOutcome.Refused;
        Machine.Ports.Access(Cpu, true, 0x80, 4, ref value).Should().Be(PortOutcome.Refused);
        value.Should().Be(0xdd, "a read that is not handled gives no value");
    }

    [Test]
    public void Guest_output_reaches_the_handler()
    {
        FakePort port = new();
        Machine.Ports.Attach(0x3f8, port);
        Start().ThenOut(0x3f8, 1, 0x41).ThenOut(0x3f8, 4, 0xdeadbeef).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, 0x3f8, 1, 0x41u), (false, 0x3f8, 4, 0xdeadbeefu));
        Cpu.Counters.PortExits.Should().Be(2);
        Cpu.Counters.UnclaimedPorts.Should().Be(0);
    }

    [Test]
    public void Guest_input_comes_from_the_handler()
    {
        FakePort port = new();
        port.Values.Clear();
        port.Values.Enqueue(0x12345678);
        Machine.Ports.Attach(0x3fd, port);
        FakeVcpu guest = Start().ThenIn(0x3fd, 2).ThenPause();
        guest.SetRegister(RegisterName.Rax, 0xffffffffffffffff);

        Run();

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0xffffffffffff5678);
    }

    [Test]
    public void Wide_access_belongs_to_its_first_port()
    {
        FakePort next = new();
        Machine.Ports.Attach(0x81, next);
        Start().ThenOut(0x80, 2, 1);

        Run().Code.Should().Be(ExitCode.Inout);
        next.Accesses.Should().BeEmpty();
    }

    [Test]
    public void String_output_goes_element_by_element()
    {
        FakePort port = new();
        Machine.Ports.Attach(0x80, port);
        FakeVcpu guest = Start().ThenStringOut(0x80, 2, 1, 2, 3, 4, 5, 6).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, 0x80, 2, 0x0201u), (false, 0x80, 2, 0x0403u), (false, 0x80, 2, 0x0605u));
        guest.Answers.Should().ContainSingle();
        Cpu.Counters.PortExits.Should().Be(1);
    }

    [Test]
    public void String_input_is_gathered_element_by_element()
    {
        FakePort port = new();
        port.Values.Clear();
        Array.ForEach<uint>([0xffffff11, 0x22, 0x33], port.Values.Enqueue);
        Machine.Ports.Attach(0x80, port);
        byte[] seen = [];
        FakeVcpu guest = Start().ThenStringIn(0x80, 1, 3);
        guest.ThenPause();
        port.During = _ => seen = guest.ExitData.ToArray();

        Run();

        guest.Answers.Should().ContainSingle();
        seen.Should().Equal(0x11, 0x22, 0);
        port.Accesses.Should().HaveCount(3);
    }

    [Test]
    public void String_nobody_claims_is_one_exit_with_its_data()
    {
        Start().ThenStringOut(0x80, 1, 7, 8, 9).ThenStringIn(0x81, 4, 2).ThenPause();
        VmExit exit = Run();
        exit.Port.Should().Be(new PortExit(0x80, 1, PortFlags.String | PortFlags.Repeat, 3, 0));
        Cpu.ExitData.ToArray().Should().Equal(7, 8, 9);

        exit = Run(VmEntry.FulfillPort(exit.Port));
        Cpu.ExitData.Length.Should().Be(8);
        Cpu.ExitData.Fill(0x5a);

        Run(VmEntry.FulfillPort(exit.Port)).Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void String_refused_at_its_first_element_is_the_embedders()
    {
        Machine.Ports.Attach(0x80, new FakePort { Outcome = () => PortOutcome.Unclaimed });
        Machine.Ports.Attach(0x81, new FakePort { Outcome = () => PortOutcome.Refused });
        Start().ThenStringOut(0x80, 1, 1, 2).ThenStringIn(0x81, 1, 2);

        VmExit exit = Run();
        exit.Port.Count.Should().Be(2);
        Run(VmEntry.FulfillPort(exit.Port)).Code.Should().Be(ExitCode.InstructionEmulation);
    }

    [Test]
    public void String_claimed_in_part_reads_ones_for_the_rest_and_counts_it()
    {
        int asked = 0;
        FakePort port = new() { Outcome = () => asked++ < 2 ? PortOutcome.Handled : PortOutcome.Unclaimed };
        port.Values.Clear();
        port.Values.Enqueue(0x77);
        Machine.Ports.Attach(0x80, port);
        byte[] last = [];
        FakeVcpu guest = Start().ThenStringIn(0x80, 1, 4).ThenStringOut(0x80, 1, 1, 2).ThenPause();
        port.During = _ => last = asked == 3 ? guest.ExitData.ToArray() : last;

        Run().Code.Should().Be(ExitCode.Inout, "the second string finds nobody at its first element");

        last.Should().Equal(0x77, 0x77, 0xff, 0);
        Cpu.Counters.UnclaimedPorts.Should().Be(3);
        guest.Answers.Should().ContainSingle();
    }

    [Test]
    public void Default_answers_are_ones_for_reads_and_nothing_for_writes()
    {
        Use(Options() with { UnclaimedAccess = UnclaimedAccess.Default });
        FakeVcpu guest = Start()
            .ThenIn(0x60, 1).ThenIn(0x60, 4).ThenOut(0x60, 2, 5).ThenStringOut(0x60, 1, 1).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0xffffffff);
        Cpu.Counters.UnclaimedPorts.Should().Be(4);
        guest.Answers.Should().HaveCount(4);
    }

    [Test]
    public void Default_answer_to_a_string_input_is_all_ones()
    {
        Use(Options() with { UnclaimedAccess = UnclaimedAccess.Default });
        FakeVcpu guest = Start().ThenStringIn(0x60, 2, 2);
        byte[] seen = [];
        guest.AddFragment((FakeVcpu vcpu, ref VmExit exit) =>
        {
            seen = vcpu.ExitData.ToArray();
            exit.Set(ExitCode.Pause, 0);
        });

        Run().Code.Should().Be(ExitCode.Pause);

        seen.Should().Equal(0xff, 0xff, 0xff, 0xff);
    }

    [Test]
    public void Unclaimed_output_says_so_to_the_default_as_well_as_to_the_caller()
    {
        Machine.Ports.Attach(0x80, new FakePort { Outcome = () => PortOutcome.Unclaimed });
        Start().ThenOut(0x80, 1, 1);

        Run().Port.Eax.Should().Be(1);
        Cpu.Counters.UnclaimedPorts.Should().Be(1);
    }

    [Test]
    public void Handler_attached_while_the_guest_runs_takes_the_next_access()
    {
        FakePort late = new();
        Start().ThenDo(() => Machine.Ports.Attach(0x80, late)).ThenOut(0x80, 1, 1).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);
        late.Accesses.Should().ContainSingle();
    }

    private Action Attaching(ushort port) => () => Machine.Ports.Attach(port, new FakePort());

    private Action Hooking(ushort port) => () => Machine.Ports.Hook(port, new FakePort());
}
