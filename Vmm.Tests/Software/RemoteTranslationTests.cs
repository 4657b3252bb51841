// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Software;
using Vmm.Tests.Kvm.Chips;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Software;

/// <summary>
/// One processor changes a page-table entry and interrupts another, which drops what it remembers of the page (volume 3, section 5.10.5):
/// until then it may use the old page or the new one, from then on only the new one.
/// </summary>
internal sealed class RemoteTranslationTests
{
    private const int Rounds = 100;
    private const byte Vector = 0x41;
    private const int Started = 1;
    private const int Dropped = 2;
    private const int Looks = 3;
    private const int Violations = 4;

    /// <summary>The page whose translation changes, and the two that it leads to in turn.</summary>
    private const ulong Page = 0x12_0000;
    private const ulong EvenPage = 0x13_0000;
    private const ulong OddPage = 0x14_0000;
    private const ulong Entry = LongModeMachine.FirstPageTable + ((Page >> 12) * 8);

    [Test]
    public void Old_page_is_not_used_behind_the_interrupt(
        [Values("invlpg", "cr3")] string drop, [Values("load", "call")] string access, [Values(0, 1)] int translatesAfter)
    {
        using ChipGuest guest = new(
            new SoftwareBackend(new SoftwareBackendOptions { TranslatesAfter = translatesAfter, TranslatesAtOnce = true }), cpus: 2);

        // Each page is the function that returns the number of the round in which it was put there: mov eax, number; ret
        guest.Machine.Write(EvenPage, 0xb8, 0, 0, 0, 0, 0xc3);
        guest.Machine.Write(OddPage, 0xb8, 0, 0, 0, 0, 0xc3);
        guest.Machine.Write64(Entry, EvenPage | 7);
        guest.Handle(Vector, a =>
        {
            if (drop == "cr3")
            {
                a.mov(rax, cr3);
                a.mov(cr3, rax);
            }
            else
            {
                a.mov(rax, Page);
                a.invlpg(__byte_ptr[rax]);
            }

            a.inc(r12);
            a.mov(rax, Address(Dropped));
            a.mov(__[rax], r12);
            ChipGuest.EndOfInterrupt(a);
        });
        guest.Machine.Assemble(LongModeMachine.OthersCode, a =>
        {
            guest.LoadInterruptTable(a);
            ChipGuest.EnableLocalApic(a);
            Look(a, access);
        });
        guest.Machine.Assemble(a =>
        {
            ChipGuest.EnableLocalApic(a);
            guest.Machine.StartOthers(a);
            ChipGuest.SpinUntil(a, 1, Started);
            ChangePages(a);
        });

        guest.RunAll();

        guest.Count(Dropped).Should().Be(Rounds);
        guest.Count(Violations).Should().Be(0);
        guest.Count(Looks).Should().BeGreaterThan(2 * Rounds, "the page was looked at in each round");
    }

    private static ulong Address(int counter) => ChipGuest.Counter + ((ulong)counter * 8);

    /// <summary>R12 is the last round that the handler was told of; it may be told at any instruction.</summary>
    private static void Look(Assembler a, string access)
    {
        Label again = a.CreateLabel();
        Label notOlder = a.CreateLabel();
        Label notNewer = a.CreateLabel();
        a.xor(r12d, r12d);
        a.mov(rsi, Page);
        a.mov(rdi, Address(0));
        a.@lock.inc(__qword_ptr[rdi + (Started * 8)]);
        a.sti();
        a.Label(ref again);
        a.mov(rbx, r12);
        if (access == "call")
        {
            a.call(rsi);
        }
        else
        {
            a.mov(eax, __[rsi + 1]);
        }

        a.cmp(eax, ebx);
        a.jae(notOlder);
        a.inc(__qword_ptr[rdi + (Violations * 8)]);
        a.Label(ref notOlder);
        a.lea(rdx, __[r12 + 1]);
        a.cmp(eax, edx);
        a.jbe(notNewer);
        a.inc(__qword_ptr[rdi + (Violations * 8)]);
        a.Label(ref notNewer);
        a.inc(__qword_ptr[rdi + (Looks * 8)]);
        a.jmp(again);
    }

    private static void ChangePages(Assembler a)
    {
        Label round = a.CreateLabel();
        Label even = a.CreateLabel();
        Label wait = a.CreateLabel();
        Label look = a.CreateLabel();
        a.mov(r14d, 1);
        a.mov(rsi, Address(0));
        a.mov(rdx, Entry);
        a.Label(ref round);
        a.mov(rdi, EvenPage);
        a.test(r14b, 1);
        a.jz(even);
        a.mov(rdi, OddPage);
        a.Label(ref even);
        a.mov(__[rdi + 1], r14d);
        a.or(rdi, 7);
        a.mov(__[rdx], rdi);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandHigh, 1 << 24);
        ChipGuest.Write(a, ChipGuest.LocalApic + ChipGuest.CommandLow, 0x4000 | Vector);
        a.Label(ref wait);
        a.pause();
        a.cmp(__[rsi + (Dropped * 8)], r14);
        a.jb(wait);
        a.mov(rbx, __[rsi + (Looks * 8)]);
        a.add(rbx, 3);
        a.Label(ref look);
        a.pause();
        a.cmp(__[rsi + (Looks * 8)], rbx);
        a.jb(look);
        a.inc(r14);
        a.cmp(r14d, Rounds);
        a.jbe(round);
    }
}
