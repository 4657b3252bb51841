// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Benchmarks.Tcg;

/// <content>The 64-bit code: what both sides execute.</content>
internal static partial class LoopGuest
{
    private const uint EferIndex = 0xC000_0080;
    private const int EferLongMode = 1 << 8;
    private const int EferSystemCalls = 1;
    private const ushort SerialPort = 0x3F8;
    private const ushort DebugExitPort = 0xF4;
    private const int GlobalPages = 1 << 7;
    private const int ProcessContexts = 1 << 17;

    private const uint Source = 0x20_0000;
    private const uint Target = 0x22_0000;
    private const int CopyLength = 0x1_0000;
    private const uint Chain = 0x30_0000;
    private const int ChainLinks = 1 << 14;
    private const int LinkLength = 64;
    private const uint Stack = 0x2F_0000;
    private const uint UserStack = 0x2E_0000;
    private const uint PerProcessor = 0x2D_0000;
    private const int TouchedPages = 8;

    private const int IntegerRounds = 1_000_000;
    private const int CopyRounds = 200;
    private const int ChaseRounds = 4_000_000;
    private const int DoubleRounds = 1_000_000;
    private const int X87Rounds = 500_000;
    private const int CallRounds = 200_000;
    private const int SwitchRounds = 20_000;

    /// <summary>The loops, in the order in which the guest executes them. Those that the processor does not have are left out by it.</summary>
    internal static IReadOnlyList<GuestLoop> Loops { get; } =
    [
        new('i', "integers", "instructions", IntegerRounds * 16.0),
        new('c', "memory: copy", "instructions", CopyRounds * (CopyLength / 16.0 * 8)),
        new('p', "memory: pointer chase over 1 MiB", "instructions", ChaseRounds * 4.0),
        new('d', "doubles, SSE2", "instructions", DoubleRounds * 12.0),
        new('x', "doubles, x87", "instructions", X87Rounds * 12.0),
        new('s', "system calls", "calls", CallRounds),
        new('g', "address spaces, with global pages", "switches", SwitchRounds * 2.0),
        new('n', "address spaces, without global pages", "switches", SwitchRounds * 2.0),
        new('k', "address spaces, with PCIDs", "switches", SwitchRounds * 2.0),
    ];

    private static byte[] AssembleCode(ulong address)
    {
        Assembler c = new(64);
        Prepare(c);
        Pass(c, 'i', Integers);
        Pass(c, 'c', Copy);
        LayChain(c);
        Pass(c, 'p', Chase);
        Pass(c, 'd', Doubles);
        Pass(c, 'x', X87);
        Pass(c, 's', SystemCalls);
        Pass(c, 'g', static c => SwitchSpaces(c, FirstSpace, SecondSpace));
        c.mov(rax, cr4);
        c.and(eax, ~GlobalPages);
        c.mov(cr4, rax);
        Pass(c, 'n', static c => SwitchSpaces(c, FirstSpace, SecondSpace));
        Label end = c.CreateLabel();
        BeginContexts(c, end);
        const ulong KeepsTranslations = 1UL << 63;
        Pass(c, 'k', static c => SwitchSpaces(c, FirstSpace | 1 | KeepsTranslations, SecondSpace | 2 | KeepsTranslations));
        c.Label(ref end);
        Write(c, End);
        c.xor(eax, eax);
        c.mov(dx, DebugExitPort);
        c.@out(dx, eax);
        c.cli();
        c.hlt();
        return Bytes(c, address);
    }

    /// <summary>The same state on both sides: descriptors, address space, floating point, system calls.</summary>
    private static void Prepare(Assembler c)
    {
        const uint StarIndex = 0xC000_0081;
        const uint LongStarIndex = 0xC000_0082;
        const uint FlagMaskIndex = 0xC000_0084;
        const uint GsBaseIndex = 0xC000_0101;
        const uint KernelGsBaseIndex = 0xC000_0102;
        const int PhysicalAddressExtension = 1 << 5;
        const int SavesVectors = 3 << 9;
        const int CacheDisabled = 3 << 29;
        c.cli();
        c.mov(eax, DescriptorRegister);
        c.lgdt(__[rax]);
        c.mov(eax, FirstSpace);
        c.mov(cr3, rax);
        c.mov(eax, PhysicalAddressExtension | GlobalPages | SavesVectors);
        c.mov(cr4, rax);
        c.mov(rax, cr0);
        c.and(eax, ~(CacheDisabled | 0xC));
        c.or(eax, 0x2);
        c.mov(cr0, rax);
        c.mov(esp, Stack);
        Label reloaded = c.CreateLabel();
        c.push((int)KernelCode);
        c.lea(rax, __[reloaded]);
        c.push(rax);
        c.retf();
        c.Label(ref reloaded);
        c.mov(eax, KernelData);
        c.mov(ds, eax);
        c.mov(es, eax);
        c.mov(ss, eax);
        c.fninit();
        WriteRegister(c, EferIndex, EferLongMode | EferSystemCalls);
        WriteRegister(c, StarIndex, (ulong)SyscallBase << 48 | (ulong)KernelCode << 32);
        WriteRegister(c, FlagMaskIndex, 0x4_0700);
        WriteRegister(c, GsBaseIndex, PerProcessor);
        WriteRegister(c, KernelGsBaseIndex, PerProcessor + 0x100);
        Label handler = c.CreateLabel();
        Label behind = c.CreateLabel();
        c.mov(ecx, LongStarIndex);
        c.lea(rax, __[handler]);
        c.xor(edx, edx);
        c.wrmsr();
        c.jmp(behind);
        c.Label(ref handler);
        HandleSystemCall(c);
        c.Label(ref behind);
    }

    private static void WriteRegister(Assembler c, uint index, ulong value)
    {
        c.mov(ecx, index);
        c.mov(eax, (uint)value);
        c.mov(edx, (uint)(value >> 32));
        c.wrmsr();
    }

    private static void Write(Assembler c, char letter)
    {
        c.mov(dx, SerialPort);
        c.mov(al, (byte)letter);
        c.@out(dx, al);
    }

    private static void Pass(Assembler c, char marker, Action<Assembler> loop)
    {
        Label next = c.CreateLabel();
        c.mov(r15d, Passes);
        c.Label(ref next);
        Write(c, marker);
        loop(c);
        c.dec(r15d);
        c.jne(next);
    }

    private static void Repeat(Assembler c, AssemblerRegister32 counter, int count, Action body)
    {
        Label next = c.CreateLabel();
        c.mov(counter, count);
        c.Label(ref next);
        body();
        c.dec(counter);
        c.jne(next);
    }

    /// <summary>Sixteen instructions a round, of which one is a call and one a return.</summary>
    private static void Integers(Assembler c)
    {
        Label function = c.CreateLabel();
        Label behind = c.CreateLabel();
        Repeat(c, ecx, IntegerRounds, () =>
        {
            c.lea(rax, __[rax + rbx * 2 + 7]);
            c.xor(rdx, rax);
            c.rol(rdx, 5);
            c.add(rbx, rdx);
            c.mov(r8, rbx);
            c.and(r8d, 0xFF);
            c.imul(r9, r8);
            c.sub(r10, r9);
            c.cmp(r10, rbx);
            c.cmovl(r10, rax);
            c.call(function);
            c.adc(r11, 0);
        });
        c.jmp(behind);
        c.Label(ref function);
        c.shr(rax, 1);
        c.ret();
        c.Label(ref behind);
    }

    /// <summary>Eight instructions for sixteen bytes; the few around them are not counted.</summary>
    private static void Copy(Assembler c) => Repeat(c, ecx, CopyRounds, () =>
    {
        c.mov(esi, Source);
        c.mov(edi, Target);
        Repeat(c, edx, CopyLength / 16, () =>
        {
            c.mov(rax, __[rsi]);
            c.mov(rbx, __[rsi + 8]);
            c.mov(__[rdi], rax);
            c.mov(__[rdi + 8], rbx);
            c.add(rsi, 16);
            c.add(rdi, 16);
        });
    });

    /// <summary>Links in an order without a pattern that leads through all of them: a full period of a linear congruence.</summary>
    private static void LayChain(Assembler c)
    {
        c.xor(eax, eax);
        Repeat(c, ecx, ChainLinks, () =>
        {
            c.mov(ebx, eax);
            c.imul(eax, eax, 4 * 1237 + 1);
            c.add(eax, 7919);
            c.and(eax, ChainLinks - 1);
            c.shl(ebx, 6);
            c.mov(edx, eax);
            c.shl(edx, 6);
            c.add(edx, Chain);
            c.mov(__[rbx + (int)Chain], rdx);
        });
    }

    private static void Chase(Assembler c)
    {
        c.mov(eax, Chain);
        Repeat(c, ecx, ChaseRounds, () =>
        {
            c.mov(rax, __[rax]);
            c.mov(rax, __[rax]);
        });
    }

    private static void Doubles(Assembler c)
    {
        SetDouble(c, xmm1, 1.000000119);
        SetDouble(c, xmm2, 0.999999881);
        SetDouble(c, xmm3, 0.5);
        c.unpcklpd(xmm1, xmm1);
        c.unpcklpd(xmm2, xmm2);
        c.unpcklpd(xmm3, xmm3);
        c.movapd(xmm0, xmm3);
        Repeat(c, ecx, DoubleRounds, () =>
        {
            c.mulsd(xmm0, xmm1);
            c.addsd(xmm0, xmm3);
            c.movapd(xmm4, xmm0);
            c.mulpd(xmm4, xmm2);
            c.addpd(xmm4, xmm3);
            c.subsd(xmm0, xmm3);
            c.divsd(xmm4, xmm1);
            c.ucomisd(xmm4, xmm0);
            c.cvttsd2si(rax, xmm4);
            c.mulsd(xmm0, xmm2);
        });
    }

    private static void SetDouble(Assembler c, AssemblerRegisterXMM register, double value)
    {
        c.mov(rax, BitConverter.DoubleToInt64Bits(value));
        c.movq(register, rax);
    }

    /// <summary>Reads and writes doubles in memory and rounds to 64 bits between, as compiled code for the x87 does.</summary>
    private static void X87(Assembler c)
    {
        c.mov(esi, Source);
        c.mov(rax, BitConverter.DoubleToInt64Bits(1.000000119));
        c.mov(__[rsi], rax);
        c.mov(rax, BitConverter.DoubleToInt64Bits(0.7));
        c.mov(__[rsi + 8], rax);
        c.fninit();
        Repeat(c, ecx, X87Rounds, () =>
        {
            c.fld(__qword_ptr[rsi]);
            c.fld(__qword_ptr[rsi + 8]);
            c.fmul(st0, st1);
            c.fadd(st0, st1);
            c.fxch(st0, st1);
            c.fsub(st0, st1);
            c.fchs();
            c.fmulp(st1, st0);
            c.fsubr(__qword_ptr[rsi]);
            c.fstp(__qword_ptr[rsi + 16]);
        });
    }

    /// <summary>A loop at CPL 3; with anything in RAX the handler stays in the kernel.</summary>
    private static void SystemCalls(Assembler c)
    {
        Label user = c.CreateLabel();
        c.lea(rcx, __[user]);
        c.mov(r11d, 2);
        c.swapgs();
        c.mov(esp, UserStack);
        c.sysretq();
        c.Label(ref user);
        Repeat(c, ebx, CallRounds - 1, () =>
        {
            c.xor(eax, eax);
            c.syscall();
        });
        c.inc(eax);
        c.syscall();
    }

    private static void HandleSystemCall(Assembler c)
    {
        Label leaves = c.CreateLabel();
        c.swapgs();
        c.mov(__qword_ptr.gs[0x10], rsp);
        c.mov(esp, Stack - 0x1000);
        c.push(rcx);
        c.push(r11);
        c.test(eax, eax);
        c.jne(leaves);
        c.inc(__qword_ptr.gs[0x18]);
        c.pop(r11);
        c.pop(rcx);
        c.mov(rsp, __qword_ptr.gs[0x10]);
        c.swapgs();
        c.sysretq();
        c.Label(ref leaves);
        c.pop(r11);
        c.pop(rcx);
        c.mov(esp, Stack);
        c.jmp(rcx);
    }

    /// <summary>Two address spaces in turn, each with some pages of its own that are read and written.</summary>
    private static void SwitchSpaces(Assembler c, ulong first, ulong second)
    {
        c.mov(r8, first);
        c.mov(r9, second);
        Repeat(c, ecx, SwitchRounds, () =>
        {
            foreach (AssemblerRegister64 space in (AssemblerRegister64[])[r9, r8])
            {
                c.mov(cr3, space);
                c.mov(esi, OwnPages);
                Repeat(c, edx, TouchedPages, () =>
                {
                    c.inc(__qword_ptr[rsi]);
                    c.add(esi, 0x1000);
                });
            }
        });
    }

    /// <summary>Where the processor has them, address spaces get identifiers; else the rest is left out.</summary>
    private static void BeginContexts(Assembler c, Label absent)
    {
        c.mov(eax, 1);
        c.cpuid();
        c.bt(ecx, 17);
        c.jae(absent);
        c.mov(rax, cr4);
        c.or(eax, GlobalPages | ProcessContexts);
        c.mov(cr4, rax);
        c.mov(eax, SecondSpace | 2);
        c.mov(cr3, rax);
        c.mov(eax, FirstSpace | 1);
        c.mov(cr3, rax);
    }
}
