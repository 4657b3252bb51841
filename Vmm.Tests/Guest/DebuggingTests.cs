// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Engine.SecondChance;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>What a debugger has of a vCPU: on KVM, whatever the host honours, and on the processor in software.</summary>
[TestFixture("kvm", Category = "Kvm")]
[TestFixture("software")]
public sealed class DebuggingTests(string kind)
{
    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest ??= new LongModeMachine(Open());

    private VirtualCpu Cpu => Guest.Cpu;

    [TearDown]
    public void DisposeGuest()
    {
        _guest?.Dispose();
        _guest = null;
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Step_executes_one_instruction_in_every_mode(bool user)
    {
        Guest.Assemble(a =>
        {
            a.mov(eax, 5);
            a.inc(eax);
            a.mov(__[(long)LongModeMachine.Data], eax);
            a.push(rax);
        });
        ulong[] behind = [LongModeMachine.Code + 5, LongModeMachine.Code + 7];
        Enter(user);
        Features(user).Should().HaveFlag(DebugFeatures.SingleStep);
        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);

        Step().Should().Be(behind[0]);
        Step().Should().Be(behind[1]);
        Cpu.GetRegister(RegisterName.Rax).Should().Be(6);
        Step();
        Guest.Read64(LongModeMachine.Data).Should().Be(6);
        ulong stack = Cpu.GetRegister(RegisterName.Rsp);
        Step();
        Cpu.GetRegister(RegisterName.Rsp).Should().Be(stack - 8);

        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, false);
        Cpu.ResumeFromDebug();
        Guest.RunToEnd();
    }

    [Test]
    public void Vcpu_is_stopped_after_a_step_until_it_is_resumed()
    {
        Guest.Assemble(a => a.nop());
        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        Guest.Run().Code.Should().Be(ExitCode.MonitorTrap);

        Guest.Run().Code.Should().Be(ExitCode.Debug);

        Cpu.GetRegister(RegisterName.Rip).Should().Be(LongModeMachine.Code + 1);
    }

    [Test]
    public void Int3_is_the_debuggers_when_it_asks_for_it()
    {
        Guest.Assemble(a =>
        {
            a.nop();
            a.int3();
            a.nop();
        });
        Cpu.DebugFeatures.Should().HaveFlag(DebugFeatures.SoftwareBreakpoints);
        Cpu.SetCapability(VcpuCapability.BreakpointExit, true);

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Breakpoint);
        exit.Debug.Exception.Should().Be(3);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(LongModeMachine.Code + 1, "INT3 has not executed");
        Cpu.SetRegister(RegisterName.Rip, LongModeMachine.Code + 2);
        Guest.RunToEnd();
    }

    [Test]
    public void Int3_is_the_guests_when_nobody_asks_for_it()
    {
        Guest.Assemble(a => a.int3());
        VmExit exit = Guest.Run();
        exit.Port.Port.Should().Be(LongModeMachine.FaultPort);
        exit.Port.Eax.Should().Be(3);
    }

    [Test]
    public void Breakpoint_on_execution_stops_before_the_instruction()
    {
        Require(DebugFeatures.HardwareBreakpoints);
        Guest.Assemble(a =>
        {
            a.nop();
            a.inc(eax);
            a.nop();
        });
        Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(LongModeMachine.Code + 1), BreakpointKind.Execution, 1)]);

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Breakpoint);
        (exit.Debug.Dr6 & 0xf).Should().Be(1);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(LongModeMachine.Code + 1);
        Cpu.GetRegister(RegisterName.Rax).Should().Be(0);
        Cpu.SetHardwareBreakpoints([]);
        Guest.RunToEnd();
    }

    [Test]
    public void Watchpoint_stops_behind_the_write()
    {
        Require(DebugFeatures.Watchpoints);
        Guest.Assemble(a =>
        {
            a.mov(ecx, __dword_ptr[(long)LongModeMachine.Data]);
            a.mov(__dword_ptr[(long)LongModeMachine.Data], 1);
            a.nop();
        });
        Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(LongModeMachine.Data), BreakpointKind.Write, 4)]);

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Breakpoint);
        (exit.Debug.Dr6 & 0xf).Should().Be(1);
        Guest.Read64(LongModeMachine.Data).Should().Be(1);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Watchpoint_on_accesses_is_met_by_reads_in_every_mode(bool user)
    {
        Enter(user);
        Require(DebugFeatures.Watchpoints, user);
        ulong behind = LongModeMachine.Code + 7;
        Guest.Assemble(a =>
        {
            a.mov(ecx, __dword_ptr[(long)LongModeMachine.Data]);
            a.inc(ebx);
        });
        Cpu.SetHardwareBreakpoints(
        [
            new HardwareBreakpoint(new(LongModeMachine.Data), BreakpointKind.Write, 4),
            new HardwareBreakpoint(new(LongModeMachine.Data + 2), BreakpointKind.Access, 2),
        ]);

        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Breakpoint);
        (exit.Debug.Dr6 & 0xf).Should().Be(2);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(behind);
        Cpu.GetRegister(RegisterName.Rbx).Should().Be(0);
        Guest.RunToEnd();
    }

    [Test]
    public void Step_that_meets_a_watchpoint_says_so_once()
    {
        Require(DebugFeatures.Watchpoints);
        Guest.Assemble(a =>
        {
            a.mov(__dword_ptr[(long)LongModeMachine.Data], 1);
            a.nop();
        });
        Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(LongModeMachine.Data), BreakpointKind.Write, 4)]);
        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);

        // KVM's exit is that of a step, with both in DR6.
        VmExit exit = Guest.Run();
        exit.Code.Should().Be(kind == "kvm" ? ExitCode.MonitorTrap : ExitCode.Breakpoint);
        (exit.Debug.Dr6 & 0xf).Should().Be(1);
        if (kind == "kvm")
        {
            Cpu.ResumeFromDebug();
        }

        exit = Guest.Run();
        exit.Code.Should().Be(ExitCode.MonitorTrap);
        (exit.Debug.Dr6 & 0xf).Should().Be(0);
    }

    [Test]
    public void Breakpoint_that_is_not_honoured_is_refused_by_name()
    {
        foreach ((DebugFeatures feature, BreakpointKind breakpoint) in (ReadOnlySpan<(DebugFeatures, BreakpointKind)>)
            [(DebugFeatures.HardwareBreakpoints, BreakpointKind.Execution), (DebugFeatures.Watchpoints, BreakpointKind.Write)])
        {
            Action set = () => Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(0x1000), breakpoint, 1)]);
            if (Cpu.DebugFeatures.HasFlag(feature))
            {
                set.Should().NotThrow();
            }
            else
            {
                set.Should().Throw<VmmException>().Which.Message.Should().Contain(feature.ToString());
            }
        }
    }

    [Test]
    public void Breakpoints_that_no_processor_has_are_refused()
    {
        Action many = () => Cpu.SetHardwareBreakpoints(new HardwareBreakpoint[5]);
        many.ShouldFail(VmmError.ENOSPC);
        Action length = () => Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(0), BreakpointKind.Write, 3)]);
        length.ShouldFail(VmmError.EINVAL);
        Action misaligned = () => Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(2), BreakpointKind.Write, 4)]);
        misaligned.ShouldFail(VmmError.EINVAL);
        Action wide = () => Cpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(0), BreakpointKind.Execution, 4)]);
        wide.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Step_that_nobody_can_make_is_refused_by_name()
    {
        Guest.Assemble(a => a.cpuid());
        Enter(user: true);
        if (Cpu.Machine is VirtualMachine && StepsInEngine)
        {
            Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
            Guest.Run().Code.Should().Be(ExitCode.InstructionEmulation);
            Cpu.Refusal.Should().Be(EmulationRefusal.OwnedByHypervisor);
            return;
        }

        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        Step().Should().Be(LongModeMachine.Code + 2);
    }

    /// <summary>Whether user mode is stepped by the engine's executor, which leaves some instructions to the hypervisor.</summary>
    private bool StepsInEngine => kind == "kvm"
        && Vmm.Kvm.KvmDebugProbe.Find((Vmm.Kvm.KvmBackend)Guest.Machine.HypervisorBackend) is var support
        && !support.User.HasFlag(DebugFeatures.SingleStep);

    private DebugFeatures Features(bool user) => user ? Cpu.UserModeDebugFeatures : Cpu.DebugFeatures;

    private IHypervisorBackend Open() =>
        kind == "kvm" ? KvmRequirement.OpenBackend() : new SoftwareBackendProvider().Open();

    private void Require(DebugFeatures feature, bool user = false)
    {
        if (!Features(user).HasFlag(feature))
        {
            Assert.Ignore($"{kind} on this host does not honour {feature}");
        }
    }

    private void Enter(bool user)
    {
        if (user)
        {
            LongModeMachine.EnterUserMode(Cpu, LongModeMachine.Code);
        }
    }

    private ulong Step()
    {
        if (Guest.Machine.DebugVcpus.Contains(Cpu.Id))
        {
            Cpu.ResumeFromDebug();
        }

        VmExit exit = Guest.Run();
        exit.Code.Should().Be(ExitCode.MonitorTrap, exit.ToString());
        return Cpu.GetRegister(RegisterName.Rip);
    }
}
