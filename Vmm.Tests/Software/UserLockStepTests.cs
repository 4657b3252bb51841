// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Software;

/// <summary>
/// The same program at CPL 3 on KVM, where the processor executes it, and on the processor in software: from one output to the next, with
/// general registers, x87 and vector registers compared at each.
/// </summary>
[Category("Kvm")]
internal sealed class UserLockStepTests
{
    private const long Data = (long)LongModeMachine.Data;
    private const int Rounds = 40;
    private const ushort BlockPort = 0x4444;

    // In an XSAVE image (Intel SDM volume 1, section 10.5.1): control, status and tag word, MXCSR, and the registers of x87 and SSE.
    private const int ControlWordsEnd = 5;
    private const int Mxcsr = 24;
    private const int Registers0 = 32;
    private const int RegistersEnd = 416;

    /// <summary>CF, PF, ZF, SF, DF and OF.</summary>
    private const ulong ComparedFlags = 0xcc5;

    [Test]
    public void Vectors_and_floating_point() => Compare(a =>
    {
        a.movups(xmm0, __[rbx]);
        a.movups(xmm1, __[rbx + 16]);
        a.addps(xmm0, xmm1);
        a.mulpd(xmm1, xmm0);
        a.sqrtps(xmm2, xmm1);
        a.cvtdq2pd(xmm3, xmm0);
        a.divpd(xmm3, xmm1);
        a.paddd(xmm4, xmm3);
        a.pmuludq(xmm4, xmm2);
        a.pshufd(xmm5, xmm4, 0x1b);
        a.psrldq(xmm5, 3);
        a.pcmpgtb(xmm5, xmm0);
        a.pmovmskb(eax, xmm5);
        a.ucomisd(xmm3, xmm1);
        a.adc(rdx, rax);
        a.movups(__[rbx + 32], xmm4);
    });

    [Test]
    public void The_x87() => Compare(a =>
    {
        a.fninit();
        a.fild(__dword_ptr[rbx]);
        a.fild(__dword_ptr[rbx + 4]);
        a.fadd(st0, st1);
        a.fsqrt();
        a.fld1();
        a.fdivp(st2, st0);
        a.fxch(st0, st1);
        a.fmul(st0, st1);
        a.fst(__qword_ptr[rbx + 8]);
        a.fistp(__dword_ptr[rbx + 16]);
        a.fnstsw(ax);
    });

    [Test]
    public void Integers_strings_and_bits() => Compare(a =>
    {
        a.mov(rax, __[rbx]);
        a.imul(rax, rax, 0x5deece6);
        a.add(rax, 11);
        a.mov(__[rbx], rax);
        a.shld(rdx, rax, 13);
        a.bsf(r8, rax);
        a.mov(r9, rax);
        a.bswap(r9);
        a.xor(r10, r9);
        a.lea(rsi, __[rbx]);
        a.lea(rdi, __[rbx + 64]);
        a.mov(ecx, 24);
        a.rep.movsb();
        a.mul(r9);
        a.sbb(r11, rdx);
        a.setl(r12b);
        a.popcnt(r13, r11);
    });

    private static void Compare(Action<Assembler> block)
    {
        using LongModeMachine kvm = new(KvmRequirement.OpenBackend());
        using LongModeMachine software = new(new SoftwareBackend());
        foreach (LongModeMachine machine in (ReadOnlySpan<LongModeMachine>)[kvm, software])
        {
            Prepare(machine, block);
        }

        VmExit expected = kvm.Run();
        VmExit found = software.Run();
        for (int round = 0; round < Rounds; round++)
        {
            expected.Port.Port.Should().Be(BlockPort, $"round {round} on KVM: {expected}");
            found.Port.Port.Should().Be(BlockPort, $"round {round} in software: {found}");
            Registers(software).Should().Be(Registers(kvm), $"after round {round}");
            Convert.ToHexString(Image(software)).Should().Be(Convert.ToHexString(Image(kvm)), $"after round {round}");
            expected = kvm.Run(VmEntry.FulfillPort(expected.Port));
            found = software.Run(VmEntry.FulfillPort(found.Port));
        }

        expected.Port.Port.Should().Be(LongModeMachine.EndPort);
        found.Port.Port.Should().Be(LongModeMachine.EndPort);
        software.Read(LongModeMachine.Data, 4096).Should().Equal(kvm.Read(LongModeMachine.Data, 4096));
    }

    private static void Prepare(LongModeMachine machine, Action<Assembler> block)
    {
        for (ulong word = 0; word < 512; word++)
        {
            machine.Write64(LongModeMachine.Data + (word * 8), unchecked((word + 1) * 0x9e37_79b9_7f4a_7c15));
        }

        machine.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.mov(rbx, Data);
            a.mov(ebp, Rounds);
            a.Label(ref again);
            block(a);
            a.mov(r15, rdx);
            a.mov(dx, unchecked((short)BlockPort));
            a.@out(dx, al);
            a.mov(rdx, r15);
            a.add(rbx, 40);
            a.dec(ebp);
            a.jnz(again);
        });
        LongModeMachine.EnterUserMode(machine.Cpu, LongModeMachine.Code);
    }

    /// <summary>RIP is at or behind the output, as the backend has it; what comes before is in the others.</summary>
    private static GeneralRegisters Registers(LongModeMachine machine)
    {
        GeneralRegisters registers = machine.Cpu.GeneralRegisters;
        return registers with { Rip = 0, Rflags = registers.Rflags & ComparedFlags };
    }

    private static byte[] Image(LongModeMachine machine)
    {
        byte[] image = new byte[8192];
        machine.Cpu.GetFpu(image);
        return [.. image[..ControlWordsEnd], .. image[Mxcsr..(Mxcsr + 4)], .. image[Registers0..RegistersEnd]];
    }
}
