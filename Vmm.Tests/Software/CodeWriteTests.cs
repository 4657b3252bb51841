// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.SecondChance;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Software;

/// <summary>Code that a device writes, through guest memory as devices do, is executed as it is, in blocks and in what they are translated to.</summary>
internal sealed class CodeWriteTests
{
    private const ulong Counter = LongModeMachine.Data;

    [Test]
    public void Code_that_a_device_writes_between_runs_is_executed_as_it_is([Values(0, 1)] int translatesAfter)
    {
        const int Rounds = 100_000;

        // Of ADD, behind XOR, MOV and its own opcode.
        const ulong Immediate = 2 + 5 + 1;
        using LongModeMachine guest = new(new SoftwareBackend(new SoftwareBackendOptions { TranslatesAfter = translatesAfter }));
        guest.Assemble(static a =>
        {
            Label start = a.CreateLabel();
            Label again = a.CreateLabel();
            a.Label(ref start);
            a.xor(eax, eax);
            a.mov(ecx, Rounds);
            a.Label(ref again);
            a.add(eax, 1);
            a.dec(ecx);
            a.jne(again);
            LongModeMachine.End(a);
            a.jmp(start);
        });
        VmExit exit = guest.Run();
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(Rounds, "a loop of additions of 1");

        guest.Write(LongModeMachine.Code + Immediate, 3);

        _ = guest.Run(VmEntry.FulfillPort(exit.Port));
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(3 * Rounds, "of 3");
    }

    [Test]
    public void Code_that_a_device_writes_while_it_runs_is_seen([Values(0, 1)] int translatesAfter)
    {
        const ulong Enough = 1_000_000;
        ulong jump = 0;
        using LongModeMachine guest = new(new SoftwareBackend(new SoftwareBackendOptions { TranslatesAfter = translatesAfter }));
        guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.mov(rsi, Counter);
            a.Label(ref again);
            a.inc(__qword_ptr[rsi]);
            a.jmp(again);
        });
        byte[] code = guest.Read(LongModeMachine.Code, 64);
        jump = LongModeMachine.Code + (ulong)code.AsSpan().IndexOf((byte)0xEB);
        Background run = Background.Start(guest.RunToEnd);
        SpinWait.SpinUntil(() => guest.Read64(Counter) > Enough, TimeSpan.FromSeconds(60)).Should().BeTrue();

        // A jump to the next instruction.
        guest.Write(jump + 1, 0);

        run.Join();
        guest.Read64(Counter).Should().BeGreaterThan(Enough);
    }

    /// <summary>A far jump to a TSS in 32-bit protected mode: the exit says that it is a task switch, the guest gets no exception.</summary>
    [Test]
    public void A_task_switch_is_refused_by_name()
    {
        const ulong Descriptor = 0x1038;
        using LongModeMachine guest = new(new SoftwareBackend());
        guest.Cpu.SetRegister(RegisterName.Cr0, 0x11);
        guest.Cpu.SetRegister(RegisterName.Cr4, 0);
        guest.Cpu.SetRegister(RegisterName.Efer, 0);
        guest.Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc09b)));
        guest.Write64(Descriptor, 0x0000_8900_4000_0067);
        guest.Write(LongModeMachine.Code, 0xEA, 0, 0, 0, 0, 0x38, 0);

        VmExit exit = guest.Run();

        (exit.Code, exit.Rip).Should().Be((ExitCode.InstructionEmulation, LongModeMachine.Code));
        guest.Cpu.Refusal.Should().Be(EmulationRefusal.TaskSwitch);
    }
}
