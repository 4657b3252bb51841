// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Iced.Intel;
using Vmm.Machine.Board;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Cli.Demo;

/// <summary>
/// The built-in guest: 64-bit code, entered at its first byte, that tries each way a guest has to talk to the engine,
/// prints what it found, stores it for the host to check, and powers the machine off.
/// </summary>
internal static partial class DemoGuest
{
    /// <summary>Where the code is loaded.</summary>
    public const ulong LoadAddress = 0x10_0000;

    /// <summary>Where the guest stores what it found.</summary>
    public const ulong ResultAddress = 0x12_0000;

    /// <summary>Timer interrupts that the guest waits for.</summary>
    public const int Ticks = 100;

    /// <summary>The timer's frequency in hertz, nearly.</summary>
    public const int TimerFrequency = 2000;

    /// <summary>Bytes of one string input.</summary>
    public const int StringLength = 64;

    /// <summary>Memory-mapped writes, each followed by a read.</summary>
    public const int MmioRounds = 8;

    /// <summary>What the guest writes to the emulated MSR.</summary>
    public const ulong MsrValue = 0x1122_3344_5566_7788;

    private const ulong InterruptTable = 0x13_0000;
    private const ulong Scratch = 0x14_0000;
    private const int TimerVector = 0x20;
    private const int TimerDivisor = 1_193_182 / TimerFrequency;
    private const ushort CodeSelector = 0x10;

    /// <summary>Assembles the guest.</summary>
    /// <returns>The image, to be entered in 64-bit mode at <see cref="LoadAddress"/>.</returns>
    public static byte[] Assemble()
    {
        Assembler c = new(64);
        Routines routines = new(c);
        Announce(c);
        routines.Print("vmm demo: 64-bit code is running\n");
        AskProcessor(c, routines);
        UseMsr(c, routines);
        TakeInterrupts(c, routines);
        DoStringInput(c, routines);
        DoMmio(c, routines);
        routines.Print("vmm demo: done, powering off\n");
        PowerOff(c);
        routines.Emit();
        using MemoryStream image = new();
        c.Assemble(new StreamCodeWriter(image), LoadAddress);
        return image.ToArray();
    }

    /// <summary>The very first instructions tell the host that the guest has begun.</summary>
    private static void Announce(Assembler c)
    {
        c.mov(dx, DemoDevices.MarkPort);
        c.@out(dx, al);
    }

    /// <summary>CPUID leaf 0: the greatest leaf and the vendor.</summary>
    private static void AskProcessor(Assembler c, Routines routines)
    {
        c.xor(eax, eax);
        c.cpuid();
        c.mov(__[ResultAddress + DemoResult.MaxLeafOffset], eax);
        c.mov(r8d, (uint)(ResultAddress + DemoResult.VendorOffset));
        c.mov(__dword_ptr[r8], ebx);
        c.mov(__dword_ptr[r8 + 4], edx);
        c.mov(__dword_ptr[r8 + 8], ecx);
        routines.Print("cpuid: vendor ");
        routines.PrintMemory(ResultAddress + DemoResult.VendorOffset, DemoResult.VendorLength);
        routines.Print(", leaves up to ");
        c.mov(eax, __[ResultAddress + DemoResult.MaxLeafOffset]);
        routines.PrintNumber();
        routines.Print("\n");
    }

    /// <summary>Writes the emulated MSR and reads it back; the host changes the value in between.</summary>
    private static void UseMsr(Assembler c, Routines routines)
    {
        c.mov(ecx, DemoDevices.MsrIndex);
        c.mov(eax, unchecked((uint)MsrValue));
        c.mov(edx, (uint)(MsrValue >> 32));
        c.wrmsr();
        c.rdmsr();
        c.mov(r8d, (uint)(ResultAddress + DemoResult.MsrOffset));
        c.mov(__dword_ptr[r8], eax);
        c.mov(__dword_ptr[r8 + 4], edx);
        routines.Print("msr: written and read back\n");
    }

    /// <summary>A hundred interrupts of the 8254 through the 8259 pair, waited for with HLT.</summary>
    private static void TakeInterrupts(Assembler c, Routines routines)
    {
        SetGate(c, routines.TimerHandler);
        foreach ((byte port, byte value) in PicSetup)
        {
            c.mov(al, value);
            c.@out(port, al);
        }

        Label wait = c.CreateLabel();
        Label done = c.CreateLabel();
        c.mov(r8d, (uint)(ResultAddress + DemoResult.TicksOffset));
        c.Label(ref wait);
        c.cli();
        c.cmp(__dword_ptr[r8], Ticks);
        c.jae(done);
        c.sti();
        c.hlt();
        c.jmp(wait);
        c.Label(ref done);

        // Everything masked again.
        c.mov(al, 0xff);
        c.@out(0x21, al);
        routines.Print("timer: ");
        c.mov(eax, __dword_ptr[r8]);
        routines.PrintNumber();
        routines.Print(" interrupts\n");
    }

    /// <summary>
    /// Initialisation of both 8259s (vectors from 20h on, all inputs but the timer masked), then rate generation on channel 0
    /// of the 8254 (Intel 8259A and 8254 data sheets).
    /// </summary>
    private static ReadOnlySpan<(byte Port, byte Value)> PicSetup =>
        new (byte, byte)[]
        {
            (0x20, 0x11), (0x21, TimerVector), (0x21, 0x04), (0x21, 0x01),
            (0xa0, 0x11), (0xa1, TimerVector + 8), (0xa1, 0x02), (0xa1, 0x01),
            (0x21, 0xfe), (0xa1, 0xff),
            (0x43, 0x34), (0x40, TimerDivisor & 0xff), (0x40, TimerDivisor >> 8),
        };

    /// <summary>An interrupt gate for the timer's vector (Intel SDM volume 3, 64-bit mode IDT), and LIDT.</summary>
    private static void SetGate(Assembler c, Label handler)
    {
        const ushort InterruptGate = 0x8e00;
        const ulong Gate = InterruptTable + (TimerVector * 16);
        c.mov(r8d, (uint)Gate);
        c.lea(rax, __[handler]);
        c.mov(__word_ptr[r8], ax);
        c.mov(__word_ptr[r8 + 2], CodeSelector);
        c.mov(__word_ptr[r8 + 4], InterruptGate);
        c.shr(rax, 16);
        c.mov(__word_ptr[r8 + 6], ax);
        c.shr(rax, 16);
        c.mov(__dword_ptr[r8 + 8], eax);
        c.mov(__dword_ptr[r8 + 12], 0);
        c.mov(r8d, (uint)Scratch);
        c.mov(__word_ptr[r8], 0xfff);
        c.mov(eax, (uint)InterruptTable);
        c.mov(__qword_ptr[r8 + 2], rax);
        c.lidt(__[r8]);
    }

    /// <summary>REP INSB of a pattern that the host makes up; the guest adds it up.</summary>
    private static void DoStringInput(Assembler c, Routines routines)
    {
        c.mov(edi, (uint)Scratch);
        c.mov(ecx, StringLength);
        c.mov(dx, DemoDevices.PatternPort);
        c.cld();
        c.rep.insb();
        c.mov(esi, (uint)Scratch);
        c.mov(ecx, StringLength);
        c.xor(ebx, ebx);
        Label next = c.CreateLabel();
        c.Label(ref next);
        c.movzx(eax, __byte_ptr[rsi]);
        c.add(ebx, eax);
        c.inc(rsi);
        c.dec(ecx);
        c.jnz(next);
        c.mov(r8d, (uint)(ResultAddress + DemoResult.SumOffset));
        c.mov(__dword_ptr[r8], ebx);
        routines.Print("string input: ");
        c.mov(eax, StringLength);
        routines.PrintNumber();
        routines.Print(" bytes, sum ");
        c.mov(r8d, (uint)(ResultAddress + DemoResult.SumOffset));
        c.mov(eax, __dword_ptr[r8]);
        routines.PrintNumber();
        routines.Print("\n");
    }

    /// <summary>Writes to a device's memory, and reads what the host makes of it.</summary>
    private static void DoMmio(Assembler c, Routines routines)
    {
        c.mov(r9d, unchecked((uint)DemoDevices.MmioAddress));
        c.mov(ecx, MmioRounds);
        c.mov(eax, 1);
        Label next = c.CreateLabel();
        c.Label(ref next);
        c.mov(__dword_ptr[r9], eax);
        c.mov(eax, __dword_ptr[r9 + 4]);
        c.dec(ecx);
        c.jnz(next);
        c.mov(r8d, (uint)(ResultAddress + DemoResult.MmioOffset));
        c.mov(__dword_ptr[r8], eax);
        routines.Print("mmio: ");
        c.mov(eax, MmioRounds);
        routines.PrintNumber();
        routines.Print(" round trips, last value ");
        c.mov(r8d, (uint)(ResultAddress + DemoResult.MmioOffset));
        c.mov(eax, __dword_ptr[r8]);
        routines.PrintNumber();
        routines.Print("\n");
    }

    private static void PowerOff(Assembler c)
    {
        const ushort SleepEnable = 1 << 13;
        Label forever = c.CreateLabel();
        c.mov(dx, PcMachine.PowerPort);
        c.mov(ax, SleepEnable);
        c.@out(dx, ax);
        c.Label(ref forever);
        c.cli();
        c.hlt();
        c.jmp(forever);
    }

    private static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);
}
