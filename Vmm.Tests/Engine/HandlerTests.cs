// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>What a handler may do with its vCPU and its VM, and what is refused.</summary>
public sealed class HandlerTests : EngineFixture
{
    private FakePort? _port;

    [SetUp]
    public void ForgetHandler() => _port = null;

    [TearDown]
    public void HandlerWasCalled() => _port?.Accesses.Should().NotBeEmpty();

    private static IEnumerable<TestCaseData> Forbidden()
    {
        yield return Case("freeze", vm => vm.FreezeVcpus());
        yield return Case("destroy", vm => vm.Dispose());
        yield return Case("change_the_topology", vm => vm.Topology = new CpuTopology(1, 2, 1));
        yield return Case("run_its_vCPU", vm => vm.GetVcpu(new VcpuId(0)).Run(VmEntry.Default));

        static TestCaseData Case(string name, Action<VirtualMachine> action) =>
            new TestCaseData(action).SetName($"Handler_cannot_{name}");
    }

    [TestCaseSource(nameof(Forbidden))]
    public void Refuse(Action<VirtualMachine> action)
    {
        Start().ThenOut(0x10, 1, 0).ThenPause();
        InHandler(_ => action(Machine));

        Run().Code.Should().Be(ExitCode.Pause, "the run goes on");

        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
        Machine.FreezeVcpus().Dispose();
    }

    [Test]
    public void Handler_cannot_freeze_while_a_caller_retires_an_instruction()
    {
        Start().ThenOut(0x99, 1, 0);
        Run(Answered());
        Collect();
        InHandler(_ => Machine.FreezeVcpus());

        Cpu.CompletePending().Should().BeTrue();

        Machine.FreezeVcpus().Dispose();

        VmEntry Answered()
        {
            PortExit exit = Run().Port;
            Cpu.RequestYield();
            return VmEntry.FulfillPort(exit);
        }
    }

    [Test]
    public void Token_of_the_thread_is_of_no_use_to_a_handler_that_it_calls()
    {
        Map(0, Page);
        Start().ThenOut(0x99, 1, 0);
        Run();
        Collect();
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        InHandler(_ => Machine.MemoryMap.Unmap(freeze, At(0), Page));

        Cpu.Inject(GuestException.InvalidOpcode());

        Machine.MemoryMap.IsAllocated(At(0)).Should().BeTrue();
        Machine.MemoryMap.Unmap(freeze, At(0), Page);
    }

    [Test]
    public void Handler_that_takes_its_vCPU_and_gives_it_back_leaves_it_with_its_run()
    {
        Start().ThenOut(0x10, 1, 0).ThenPause();
        FakePort port = new()
        {
            During = cpu =>
            {
                using (cpu.Acquire())
                {
                    cpu.SetRegister(RegisterName.Rbx, 5);
                }

                cpu.SetState(VcpuState.Frozen, fromIdle: true);
                cpu.SetState(VcpuState.Idle, fromIdle: false);
                cpu.GetState(out _).Should().Be(VcpuState.Frozen);
            },
        };
        Machine.Ports.Attach(0x10, port);

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().ContainSingle();
        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Handler_of_one_VM_may_freeze_and_reset_another_one()
    {
        VirtualMachine other = Create(Options("other"));
        Start().ThenOut(0x10, 1, 0).ThenPause();
        FakePort port = new()
        {
            During = _ =>
            {
                using IVcpuFreeze freeze = other.FreezeVcpus();
                other.Reinitialize(freeze);
            },
        };
        Machine.Ports.Attach(0x10, port);

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().ContainSingle();
    }

    /// <summary>Lets the handler of port 10h, on which the guest's or a collected write arrives, try what it must not.</summary>
    private void InHandler(Action<IVirtualCpu> attempt)
    {
        FakePort port = new()
        {
            During = cpu => cpu.Invoking(attempt).Should().Throw<InvalidOperationException>().WithMessage("*handler*"),
        };
        Machine.Ports.Attach(0x10, port);
        _port = port;
    }

    private void Collect()
    {
        Machine.Coalesce(BusKind.Port, 0x10, 1);
        ((FakeVm)Machine.BackendVm).Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 1));
    }
}
