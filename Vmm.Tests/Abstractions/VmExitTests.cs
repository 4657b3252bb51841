// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;

namespace Vmm.Tests.Abstractions;

/// <summary>The exit record: payloads are those of its code only. And the entries that answer it.</summary>
public sealed class VmExitTests
{
    private static readonly (string Name, ExitCode[] Codes, Action<VmExit> Look)[] s_payloads =
    [
        ("port", [ExitCode.Inout], exit => _ = exit.Port),
        ("mmio", [ExitCode.Mmio], exit => _ = exit.Mmio),
        ("msr", [ExitCode.Rdmsr, ExitCode.Wrmsr], exit => _ = exit.Msr),
        ("paging", [ExitCode.Paging, ExitCode.MemoryFault], exit => _ = exit.Paging),
        ("instruction", [ExitCode.InstructionEmulation], exit => _ = exit.InstructionEmulation),
        ("debug", [ExitCode.MonitorTrap, ExitCode.Breakpoint], exit => _ = exit.Debug),
        ("hypercall", [ExitCode.Hypercall], exit => _ = exit.Hypercall),
        ("task", [ExitCode.TaskSwitch], exit => _ = exit.TaskSwitch),
        ("suspended", [ExitCode.Suspended], exit => _ = exit.Suspended),
        ("value", [ExitCode.Hlt, ExitCode.IoapicEoi], exit => _ = exit.Value),
        ("hypervisor",
            [ExitCode.EntryFailure, ExitCode.InternalError, ExitCode.SystemEvent, ExitCode.Notify, ExitCode.Hyperv,
             ExitCode.Xen, ExitCode.TprAccess, ExitCode.Vmx, ExitCode.Svm, ExitCode.Exception, ExitCode.BusLock,
             ExitCode.Unknown],
            exit => _ = exit.Hypervisor),
    ];

    [Test]
    public void Payload_can_be_read_exactly_under_its_codes() =>
        Assert.Multiple(() =>
        {
            foreach (ExitCode code in Enum.GetValues<ExitCode>())
            {
                VmExit exit = default;
                exit.Set(code, 0);
                foreach ((string name, ExitCode[] codes, Action<VmExit> look) in s_payloads)
                {
                    Action reading = () => look(exit);
                    if (codes.Contains(code))
                    {
                        reading.Should().NotThrow("{0} carries {1}", code, name);
                    }
                    else
                    {
                        reading.Should().Throw<InvalidOperationException>("{0} does not carry {1}", code, name);
                    }
                }
            }
        });

    [Test]
    public void Pending_are_the_exits_that_want_an_answer()
    {
        IEnumerable<ExitCode> pending = Enum.GetValues<ExitCode>().Where(code =>
        {
            VmExit exit = default;
            exit.Set(code, 0);
            return exit.IsPending;
        });

        pending.Should().BeEquivalentTo(
            [ExitCode.Inout, ExitCode.Mmio, ExitCode.Rdmsr, ExitCode.Wrmsr, ExitCode.Hypercall]);
    }

    [Test]
    [Proves("vm_exit_debug", "vm_exit_astpending", "vm_exit_reqidle", "vm_exit_run_state")]
    public void Writing_an_exit_forgets_the_one_before()
    {
        VmExit exit = default;
        exit.SetMmio(new MmioExit(new(0x1000), 4, false, 7), 0x10, RipPosition.AfterInstruction);
        exit.RipPosition.Should().Be(RipPosition.AfterInstruction);

        exit.Set(ExitCode.Bogus, 0x20);

        exit.Rip.Should().Be(0x20);
        exit.RipPosition.Should().Be(RipPosition.AtInstruction);
        exit.InstructionLength.Should().Be(0);
    }

    [Test]
    public void Payloads_keep_what_was_written()
    {
        VmExit exit = default;
        exit.SetPaging(ExitCode.Paging, new PagingExit(new(5), MemoryProtection.Write), 1, RipPosition.AfterInstruction);
        exit.Paging.Should().Be(new PagingExit(new(5), MemoryProtection.Write));
        exit.RipPosition.Should().Be(RipPosition.AfterInstruction);
        exit.SetInstructionEmulation(new InstructionEmulationExit([1, 2, 3], 1, 2), 1);
        exit.InstructionEmulation.Bytes.ToArray().Should().Equal(1, 2, 3);
        exit.SetTaskSwitch(new TaskSwitchExit(0x28, 2, true, 4, true), 1);
        exit.TaskSwitch.Should().Be(new TaskSwitchExit(0x28, 2, true, 4, true));
        exit.SetHypervisor(ExitCode.Unknown, new HypervisorExit(1, 2, 3, 4), 1);
        exit.Hypervisor.Should().Be(new HypervisorExit(1, 2, 3, 4));
        exit.SetValue(ExitCode.Hlt, 0x202, 1);
        exit.Value.Should().Be(0x202);
    }

    [Test]
    public void Every_exit_describes_itself() =>
        Assert.Multiple(() =>
        {
            foreach (ExitCode code in Enum.GetValues<ExitCode>())
            {
                VmExit exit = default;
                exit.Set(code, 0xabc);
                exit.ToString().Should().Contain("abc").And.StartWith(code.ToString());
            }
        });

    [Test]
    public void Instruction_bytes_are_cut_to_fifteen()
    {
        InstructionEmulationExit exit = new([.. Enumerable.Range(0, 20).Select(i => (byte)i)], 1, 0);

        exit.Count.Should().Be(15);
        exit.Bytes.Length.Should().Be(15);
        default(InstructionEmulationExit).Bytes.Length.Should().Be(0);
    }

    [Test]
    public void Answer_to_a_read_carries_the_value_and_to_a_write_the_request()
    {
        PortExit input = new(0x60, 1, PortFlags.In, 1, 0);
        PortExit output = new(0x60, 1, PortFlags.None, 1, 9);
        VmEntry.FulfillPort(input, 5).Port.Should().Be(input with { Eax = 5 });
        VmEntry.FulfillPort(output, 5).Port.Should().Be(output);
        MmioExit read = new(new GuestPhysicalAddress(0x1000), 4, true, 0);
        VmEntry.FulfillMmio(read, 5).Mmio.Should().Be(read with { Data = 5 });
        VmEntry.FulfillMmio(read with { IsRead = false, Data = 9 }, 5).Mmio.Data.Should().Be(9);
        VmEntry msr = VmEntry.FulfillMsr(new MsrIndex(0x10), MsrOutcome.GeneralProtection, 3);
        (msr.Command, msr.Msr.Value, msr.MsrOutcome, msr.Value)
            .Should().Be((EntryCommand.FulfillMsr, 0x10u, MsrOutcome.GeneralProtection, 3ul));
        VmEntry.FulfillHypercall(4).Value.Should().Be(4);
        VmEntry.Default.Command.Should().Be(EntryCommand.Default);
        VmEntry.Default.Should().Be(default(VmEntry));
        VmEntry.DiscardInstruction.Command.Should().Be(EntryCommand.DiscardInstruction);
    }
}
