// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Software;
using Vmm.Tests.Kvm.Chips;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Software;

/// <summary>Whether blocks are translated changes nothing in a run that can be repeated: interrupts come at the same instruction.</summary>
internal sealed class TranslatedTimeTests
{
    private const ulong Code = 0x10_0000;
    private const ulong Handler = 0x10_1000;
    private const ulong Idt = 0x10_2000;
    private const ulong IdtPointer = 0x10_3000;
    private const ulong Data = 0x10_4000;
    private const ulong Stack = 0x18_0000;
    private const byte TimerVector = 0x20;
    private const int Interrupts = 40;

    [TestCase(1)]
    [TestCase(500)]
    public void Translated_guest_is_where_the_interpreted_one_is_at_each_checkpoint(int translatesAfter)
    {
        (string hash, long instructions, List<string> checkpoints) = Run(translatesAfter: 0);

        (string translated, long translatedInstructions, List<string> translatedCheckpoints) = Run(translatesAfter);

        translatedCheckpoints.Should().Equal(checkpoints);
        (translated, translatedInstructions).Should().Be((hash, instructions));
        checkpoints.Should().HaveCountGreaterThan(Interrupts, "there are several between two interrupts");
    }

    private static HashedRun Run(int translatesAfter) => HashedRun.Run(
        new SoftwareBackendOptions { TranslatesAfter = translatesAfter, TranslatesAtOnce = true },
        seed: 3,
        interval: 50_000,
        machine =>
        {
            machine.LoadFlat(Assemble(Code, WriteCode), new GuestPhysicalAddress(Code), longMode: true);
            machine.Machine.Memory.TryWrite(new GuestPhysicalAddress(Handler), Assemble(Handler, WriteHandler)).Should().BeTrue();
            machine.Machine.Memory.TryWrite(new GuestPhysicalAddress(IdtPointer), [0xff, 0x0f, 0, 0x20, 0x10, 0, 0, 0, 0, 0]).Should().BeTrue();
        });

    /// <summary>Counts until there were enough interrupts, with arithmetic, memory, the stack, calls, entropy and the time on the way.</summary>
    private static void WriteCode(Assembler a)
    {
        Label next = a.CreateLabel();
        Label function = a.CreateLabel();
        a.mov(rsp, Stack);
        a.mov(rax, Handler);
        a.mov(rdi, Idt + (TimerVector * 16ul));
        a.mov(__word_ptr[rdi], ax);
        a.mov(ecx, cs);
        a.mov(__word_ptr[rdi + 2], cx);
        a.mov(__word_ptr[rdi + 4], 0x8e00);
        a.shr(rax, 16);
        a.mov(__qword_ptr[rdi + 6], rax);
        a.mov(rdi, IdtPointer);
        a.lidt(__[rdi]);
        ChipGuest.InitializePic(a, 0xfe);
        ChipGuest.StartPit(a, 119);
        a.mov(rdi, Data);
        a.mov(ebx, 1);
        a.sti();
        a.Label(ref next);
        a.add(rax, rbx);
        a.adc(__qword_ptr[rdi + 8], rax);
        a.rol(rbx, 7);
        a.xor(rbx, __qword_ptr[rdi + 8]);
        a.mul(rbx);
        a.push(rdx);
        a.call(function);
        a.pop(rcx);
        a.mov(__[rdi + 16], rcx);
        a.test(bl, 0x3f);
        a.jnz(next);
        a.rdrand(esi);
        a.add(rbx, rsi);
        a.rdtsc();
        a.add(__[rdi + 24], rax);
        a.cmp(__dword_ptr[rdi], Interrupts);
        a.jb(next);
        a.cli();
        a.hlt();
        a.Label(ref function);
        a.imul(rax, rdx, 0x1357);
        a.sub(rax, rbx);
        a.setc(cl);
        a.movzx(ecx, cl);
        a.add(rbx, rcx);
        a.ret();
    }

    private static void WriteHandler(Assembler a)
    {
        a.push(rax);
        a.inc(__dword_ptr[rdi]);
        ChipGuest.EndOfPicInterrupt(a);
        a.pop(rax);
        a.iretq();
    }

    private static byte[] Assemble(ulong address, Action<Assembler> write)
    {
        Assembler assembler = new(64);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        return stream.ToArray();
    }
}
