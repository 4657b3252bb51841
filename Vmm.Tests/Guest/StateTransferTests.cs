// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Iced.Intel;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Engine;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>
/// A guest is stopped, its vCPU's state and its memory move to another VM, of the same backend or of the other one, and it goes on there:
/// the end is the same. What the other one does not take is named.
/// </summary>
[TestFixture(Backends.Kvm, Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software, Backends.Software)]
[TestFixture(Backends.Kvm, Backends.Software, Category = "Kvm")]
[TestFixture(Backends.Software, Backends.Kvm, Category = "Kvm")]
public sealed class StateTransferTests(string from, string to)
{
    private const long Data = (long)LongModeMachine.Data;
    private const ushort HalfwayPort = 0x4444;
    private const ulong Star = 0x0023_0010_0000_0000;
    private static readonly MsrIndex s_star = new(0xc000_0081);

    private static readonly RegisterName[] s_registers =
    [
        RegisterName.Cr0, RegisterName.Cr2, RegisterName.Cr3, RegisterName.Cr4, RegisterName.Efer, RegisterName.Xcr0, RegisterName.Dr0, RegisterName.Dr1,
        RegisterName.Dr2, RegisterName.Dr3, RegisterName.Dr6, RegisterName.Dr7,
    ];

    [TestCase(false)]
    [TestCase(true)]
    public void Guest_goes_on_where_it_stood(bool user)
    {
        (ulong sum, byte[] memory) = RunWhole(from, user);
        using LongModeMachine source = Create(from, user);
        using LongModeMachine target = new(Backends.Open(to));
        source.Machine.Ports.Attach(HalfwayPort, new FakePort { During = cpu => cpu.RequestYield() });
        source.Run().Code.Should().Be(ExitCode.Bogus);
        source.Cpu.CompletePending().Should().BeTrue();

        Move(source.Cpu, target.Cpu);
        target.Write(0, source.Read(0, (int)LongModeMachine.MemoryLength));
        target.RunToEnd();

        target.Cpu.GetRegister(RegisterName.R15).Should().Be(sum);
        target.Read(LongModeMachine.Data, 4096).Should().Equal(memory);
    }

    [Test]
    public void Registers_that_the_target_refuses_are_named()
    {
        using LongModeMachine source = Create(from, user: false);
        using LongModeMachine target = new(Backends.Open(to));
        source.Cpu.TrySetMsr(s_star, Star).Should().BeTrue();
        MsrIndex unknown = new(0x1234_5678);
        ImmutableArray<MsrEntry> saved = [.. Saved(source.Cpu), new MsrEntry(unknown, 1)];

        ImmutableArray<MsrRefusal> refused = target.Cpu.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn);

        refused.Should().Contain(refusal => refusal.Index == unknown);
        string.Join(Environment.NewLine, refused).Should().Contain("0x12345678");
        target.Cpu.TryGetMsr(s_star, out ulong star).Should().BeTrue();
        star.Should().Be(Star, "one that is refused does not keep the others from being taken");
    }

    private static (ulong Sum, byte[] Memory) RunWhole(string kind, bool user)
    {
        using LongModeMachine guest = Create(kind, user);
        VmExit exit = guest.Run();
        while (exit.Port.Port != LongModeMachine.EndPort)
        {
            exit = guest.Run(VmEntry.FulfillPort(exit.Port));
        }

        return (guest.Cpu.GetRegister(RegisterName.R15), guest.Read(LongModeMachine.Data, 4096));
    }

    /// <summary>Integers, x87 and vectors half computed on either side of an output.</summary>
    private static LongModeMachine Create(string kind, bool user)
    {
        LongModeMachine guest = new(Backends.Open(kind));
        for (ulong word = 0; word < 64; word++)
        {
            guest.Write64(LongModeMachine.Data + (word * 8), unchecked((word + 1) * 0x9e37_79b9_7f4a_7c15));
        }

        guest.Assemble(a =>
        {
            a.mov(rbx, Data);
            a.fld1();
            Compute(a);
            a.mov(edx, HalfwayPort);
            a.@out(dx, al);
            Compute(a);
            a.fstp(__qword_ptr[rbx + 512]);
            a.movups(__[rbx + 528], xmm3);
        });
        if (user)
        {
            LongModeMachine.EnterUserMode(guest.Cpu, LongModeMachine.Code);
        }

        return guest;

        static void Compute(Assembler a)
        {
            Label again = a.CreateLabel();
            a.fldz();
            a.mov(ecx, 50);
            a.Label(ref again);
            a.imul(r15, r15, 31);
            a.add(r15, __[rbx + rcx * 8]);
            a.fild(__dword_ptr[rbx + rcx * 8]);
            a.faddp(st1, st0);
            a.movups(xmm2, __[rbx + rcx * 8]);
            a.paddd(xmm3, xmm2);
            a.dec(ecx);
            a.jnz(again);
            a.faddp(st1, st0);
        }
    }

    private static void Move(VirtualCpu source, VirtualCpu target)
    {
        foreach (RegisterName register in s_registers)
        {
            target.SetRegister(register, source.GetRegister(register));
        }

        for (RegisterName register = RegisterName.Es; register <= RegisterName.Tr; register++)
        {
            target.SetRegister(register, source.GetRegister(register));
            target.SetSegmentDescriptor(register, source.GetSegmentDescriptor(register));
        }

        foreach (RegisterName table in (ReadOnlySpan<RegisterName>)[RegisterName.Gdtr, RegisterName.Idtr])
        {
            target.SetSegmentDescriptor(table, source.GetSegmentDescriptor(table));
        }

        target.GeneralRegisters = source.GeneralRegisters;
        // Components that XCR0 does not enable are the host's, and not all hosts have them.
        const int XstateBv = 512;
        byte[] image = new byte[16384];
        int length = source.GetFpu(image);
        image[XstateBv] &= (byte)source.GetRegister(RegisterName.Xcr0);
        image.AsSpan(XstateBv + 1, 7).Clear();
        target.SetFpu(image.AsSpan(0, length));
        ImmutableArray<MsrEntry> saved = Saved(source);
        target.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn);
    }

    private static ImmutableArray<MsrEntry> Saved(VirtualCpu source)
    {
        List<MsrRefusal> refused = [];
        return source.SaveMsrs(source.StateMsrs, refused);
    }
}
