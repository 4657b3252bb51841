// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Registers;
using Vmm.Cli.Demo;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;
using static Vmm.Tests.Software.LockStepCode;

namespace Vmm.Tests.Software;

/// <summary>The same guest on KVM and on the processor in software, one instruction at a time.</summary>
[Category("Kvm")]
internal sealed class LockStepTests
{
    private const ulong Gdt = 0xe000;
    private const ulong Idt = 0xf000;
    private const ulong Handlers = 0x30000;
    private const byte TimerVector = 0x20;

    [Test]
    public void Arithmetic_and_branches_in_64_bit_mode() => Compare(
        guest => guest.BeginLongMode(
        [
            // mov ecx,100; xor eax,eax; mov ebx,7: the loop: add rax,rcx; adc rbx,rax; nop; xor rbx,rcx; rol rbx,1; nop; test cl,1; jz +3;
            // not rdx; sub rdx,rbx; dec ecx; jnz the loop; hlt
            0xb9, 100, 0, 0, 0, 0x31, 0xc0, 0xbb, 7, 0, 0, 0, 0x48, 0x01, 0xc8, 0x48, 0x11, 0xc3, 0x90, 0x48, 0x31, 0xcb, 0x48, 0xd1, 0xc3, 0x90,
            0xf6, 0xc1, 1, 0x74, 3, 0x48, 0xf7, 0xd2, 0x48, 0x29, 0xda, 0xff, 0xc9, 0x75, 0xe3, 0xf4,
        ]));

    [Test]
    public void Calls_and_memory_in_64_bit_mode() => Compare(
        guest => guest.BeginLongMode(
        [
            // mov edi,0x20000; mov ecx,40: the loop: call f; mov [rdi+rcx*8],rax; movzx edx,byte [rdi+rcx*8+1]; add r8,rdx; loop; hlt
            // f: push rcx; lea rax,[rcx+rcx*4+3]; xchg al,ah; bswap eax; pop rcx; ret
            0xbf, 0, 0, 2, 0, 0xb9, 40, 0, 0, 0, 0xe8, 0x0f, 0, 0, 0, 0x48, 0x89, 0x04, 0xcf, 0x0f, 0xb6, 0x54, 0xcf, 1, 0x49, 0x01, 0xd0, 0xe2,
            0xed, 0xf4, 0x51, 0x48, 0x8d, 0x44, 0x89, 3, 0x86, 0xc4, 0x0f, 0xc8, 0x59, 0xc3,
        ]));

    [Test]
    public void Faults_and_their_handlers_in_real_mode() => Compare(
        guest =>
        {
            // mov cx,20: the loop: mov ax,cx; xor dx,dx; mov bl,0; div bl; inc si; loop; hlt, and at 0x1100 the handler of #DE, which
            // steps over the division: push bp; mov bp,sp; add word [bp+2],2; pop bp; add di,cx; iret
            guest.MemoryAt(0, 4).Clear();
            BitConverter.TryWriteBytes(guest.MemoryAt(0, 4), 0x00001100);
            ((ReadOnlySpan<byte>)[0x55, 0x89, 0xe5, 0x83, 0x46, 2, 2, 0x5d, 0x01, 0xcf, 0xcf]).CopyTo(guest.MemoryAt(0x1100, 11));
            guest.BeginRealMode([0xb9, 20, 0, 0x89, 0xc8, 0x31, 0xd2, 0xb3, 0, 0xf6, 0xf3, 0x46, 0xe2, 0xf5, 0xf4]);
        });

    [Test]
    public void Segments_strings_and_ports_in_real_mode() => Compare(
        guest => guest.BeginRealMode(
        [
            // cld; mov ax,0x200; mov es,ax; mov si,0x1000; xor di,di; mov cx,16: the loop: lodsb; out 0x42,al; in al,0x43; stosb; push es;
            // pop ds; mov dl,[0]; push 0; pop ds; add dh,dl; loop; hlt
            0xfc, 0xb8, 0, 2, 0x8e, 0xc0, 0xbe, 0, 0x10, 0x31, 0xff, 0xb9, 16, 0, 0xac, 0xe6, 0x42, 0xe4, 0x43, 0xaa, 0x06, 0x1f, 0x8a, 0x16, 0, 0,
            0x6a, 0, 0x1f, 0x00, 0xd6, 0xe2, 0xed, 0xf4,
        ]));

    [Test]
    public void The_demo_guest_with_its_interrupts_devices_and_strings() => Compare(
        guest =>
        {
            byte[] image = DemoGuest.Assemble();
            guest.BeginLongMode([]);
            WriteGdt(guest);
            image.CopyTo(guest.MemoryAt(DemoGuest.LoadAddress, image.Length));
            guest.Cpu.SetRegister(RegisterName.Rip, DemoGuest.LoadAddress);
        },
        atLeast: 1500,
        wakeVector: TimerVector);

    [Test]
    public void Repeated_strings_of_every_kind_in_64_bit_mode() => Compare(
        guest => Assemble(guest, a =>
        {
            Label again = a.CreateLabel();
            a.mov(r8d, 6);
            a.Label(ref again);
            a.mov(esi, (int)LockStepGuest.CodeAddress);
            a.mov(edi, (int)LockStepGuest.DataAddress);
            a.mov(ecx, 32);
            a.rep.movsb();
            a.mov(ecx, 5);
            a.mov(rax, 0x1122334455667788);
            a.rep.stosq();
            a.std();
            a.lea(rsi, __[rdi - 9]);
            a.mov(ecx, 3);
            a.rep.movsw();
            a.cld();
            a.mov(esi, (int)LockStepGuest.CodeAddress);
            a.mov(edi, (int)LockStepGuest.DataAddress);
            a.mov(ecx, 40);
            a.repe.cmpsb();
            a.seta(bl);
            a.mov(al, 0x88);
            a.mov(ecx, 64);
            a.repne.scasb();
            a.mov(r9, rdi);
            a.mov(dx, 0x77);
            a.mov(ecx, 7);
            a.rep.insw();
            a.lea(rsi, __[rdi - 14]);
            a.mov(ecx, 7);
            a.rep.outsw();
            a.lodsd();
            a.add(r10, rax);
            a.dec(r8d);
            a.jnz(again);
            a.hlt();
        }));

    [Test]
    public void Exceptions_and_their_handlers_in_64_bit_mode() => Compare(
        guest =>
        {
            WriteIdt(guest);
            Assemble(guest, a =>
            {
                Label again = a.CreateLabel();
                a.mov(r8d, 9);
                a.Label(ref again);
                a.xor(ecx, ecx);
                a.mov(eax, r8d);
                a.xor(edx, edx);
                a.div(ecx);
                a.ud2();
                a.mov(rax, 0x0100000000000000);
                a.mov(__[rax], rbx);
                a.mov(eax, 0x53);
                a.mov(ds, eax);
                a.add(rbx, 5);
                a.dec(r8d);
                a.jnz(again);
                a.hlt();
            });
        },
        atLeast: 200);

    [Test]
    public void Paging_with_faults_and_changed_mappings() => Compare(
        guest =>
        {
            WriteIdt(guest);
            Assemble(guest, a =>
            {
                // The directory of the first gigabyte begins at 0x12000: its second entry, from 2 MiB, is taken away, given back
                // to other memory, and made read-only.
                const long Entry = 0x12008;
                Label again = a.CreateLabel();
                a.mov(r8d, 8);
                a.Label(ref again);
                a.mov(rbx, cr0);
                a.or(ebx, 0x10000);
                a.mov(cr0, rbx);
                a.mov(__qword_ptr[Entry], 0);
                a.invlpg(__[0x220000]);
                a.mov(eax, 1);
                a.mov(__[0x220010], r8);
                a.mov(r9, cr2);
                a.mov(__qword_ptr[Entry], 0x83);
                a.mov(__[0x220010], r8);
                a.add(r10, __[0x20010]);
                a.mov(__qword_ptr[Entry], 0x81);
                a.invlpg(__[0x220000]);
                a.mov(eax, 2);
                a.mov(__[0x220010], r8);
                a.mov(r9, cr2);
                a.mov(rcx, cr3);
                a.mov(cr3, rcx);
                a.add(r11, __[0x220010]);
                a.dec(r8d);
                a.jnz(again);
                a.hlt();
            });
        },
        atLeast: 150);

    [Test]
    public void From_real_through_protected_to_64_bit_mode() => Compare(
        guest =>
        {
            // The long mode tables are prepared, and left for real mode again.
            guest.BeginLongMode([]);
            WriteGdt(guest);
            guest.MemoryAt(0x600, 6).Clear();
            BitConverter.TryWriteBytes(guest.MemoryAt(0x600, 2), (ushort)0x3f);
            BitConverter.TryWriteBytes(guest.MemoryAt(0x602, 4), (uint)Gdt);
            guest.Cpu.SetRegister(RegisterName.Cr0, 0x10);
            guest.Cpu.SetRegister(RegisterName.Efer, 0);
            guest.Cpu.SetRegister(RegisterName.Cr4, 0);
            guest.Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
            foreach (RegisterName data in (ReadOnlySpan<RegisterName>)[RegisterName.Ds, RegisterName.Es, RegisterName.Ss])
            {
                guest.Cpu.SetSegmentDescriptor(data, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x93)));
            }

            guest.BeginRealMode(Code(16, LockStepGuest.CodeAddress, a =>
            {
                Count(a, cx);
                a.lgdt(__[(ushort)0x600]);
                a.mov(eax, cr0);
                a.or(al, 1);
                a.mov(cr0, eax);
                a.db(0xea, 0x00, 0x14, 0x20, 0x00);
            }));
            Put(guest, 0x1400, Code(32, 0x1400, a =>
            {
                a.mov(eax, 0x18);
                a.mov(ds, eax);
                a.mov(es, eax);
                a.mov(ss, eax);
                Count(a, ecx);
                a.mov(eax, cr4);
                a.or(eax, 0x20);
                a.mov(cr4, eax);
                a.mov(eax, 0x10000);
                a.mov(cr3, eax);
                a.mov(ecx, 0xc0000080);
                a.rdmsr();
                a.or(eax, 0x100);
                a.wrmsr();
                a.mov(eax, cr0);
                a.or(eax, unchecked((int)0x80000000));
                a.mov(cr0, eax);
                a.push(0x10);
                a.push(0x1800);
                a.retf();
            }));
            Put(guest, 0x1800, Code(64, 0x1800, a =>
            {
                Count(a, ecx);
                a.mov(rax, 0x123456789abcdef0);
                a.hlt();
            }));
        },
        atLeast: 60);

    [Test]
    public void Software_interrupts_in_real_mode() => Compare(
        guest =>
        {
            BitConverter.TryWriteBytes(guest.MemoryAt(0x42 * 4, 4), 0x00001100);
            Put(guest, 0x1100, Code(16, 0x1100, a =>
            {
                a.pushf();
                a.add(di, cx);
                a.pop(ax);
                a.sti();
                a.iret();
            }));
            guest.BeginRealMode(Code(16, LockStepGuest.CodeAddress, a =>
            {
                Label again = a.CreateLabel();
                a.mov(cx, 20);
                a.Label(ref again);
                a.@int(0x42);
                a.std();
                a.stc();
                a.loop(again);
                a.hlt();
            }));
        });

    private static void Compare(Action<LockStepGuest> begin, int atLeast = 50, byte? wakeVector = null)
    {
        using LockStepGuest kvm = new(KvmRequirement.OpenBackend()) { WakeVector = wakeVector };
        using LockStepGuest software = new(new SoftwareBackend()) { WakeVector = wakeVector };
        kvm.Cpu.SetCpuid(SoftwareProcessor.Entries.AsSpan());
        begin(kvm);
        begin(software);
        LockStep lockStep = new(kvm, software);

        lockStep.FindDifference().Should().BeNull();

        lockStep.Steps.Should().BeGreaterThan(atLeast, "a guest that ends at once compares nothing");
    }

    private static void WriteGdt(LockStepGuest guest)
    {
        ulong[] descriptors = [0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff];
        for (int i = 0; i < descriptors.Length; i++)
        {
            BitConverter.TryWriteBytes(guest.MemoryAt(Gdt + (ulong)(i * 8), 8), descriptors[i]);
        }

        guest.Cpu.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor(Gdt, 0x3f, default));
    }

    /// <summary>
    /// Handlers of all vectors that count in R12 to R15: of #DE, #UD and #GP the instruction is stepped over, of #PF the page is mapped
    /// as RAX says, of others nothing but counting.
    /// </summary>
    private static void WriteIdt(LockStepGuest guest)
    {
        WriteGdt(guest);
        for (int vector = 0; vector < 256; vector++)
        {
            ulong handler = vector switch { 0 => Handlers, 6 => Handlers + 0x40, 13 => Handlers + 0x80, 14 => Handlers + 0xc0, _ => Handlers + 0x140 };
            BitConverter.TryWriteBytes(
                guest.MemoryAt(Idt + (ulong)(vector * 16), 8), (handler & 0xffff) | 0x10_0000ul | 0x8e00_0000_0000 | (handler >> 16 << 48));
        }

        guest.Cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(Idt, 0xfff, default));
        Handle(0, a => StepOver(a, r12));
        Handle(0x40, a => StepOver(a, r13));
        Handle(0x80, a =>
        {
            // mov [rax],rbx has three bytes, mov ds,eax two.
            Label three = a.CreateLabel();
            Label done = a.CreateLabel();
            a.cmp(eax, 0);
            a.je(three);
            a.add(__qword_ptr[rsp + 8], 2);
            a.jmp(done);
            a.Label(ref three);
            a.add(__qword_ptr[rsp + 8], 3);
            a.Label(ref done);
            a.add(r14, __[rsp]);
            a.add(rsp, 8);
            a.iretq();
        });
        Handle(0xc0, a =>
        {
            a.add(r14, __[rsp]);
            a.mov(__qword_ptr[0x12008], 0x83);
            a.invlpg(__[0x220000]);
            a.add(rsp, 8);
            a.iretq();
        });
        Handle(0x140, a =>
        {
            a.inc(r15);
            a.iretq();
        });

        void Handle(ulong offset, Action<Assembler> write) => Put(guest, Handlers + offset, Code(64, Handlers + offset, write));
    }

    /// <summary>Behind an instruction of two bytes that has pushed no error code.</summary>
    private static void StepOver(Assembler a, AssemblerRegister64 counter)
    {
        a.add(__qword_ptr[rsp], 2);
        a.inc(counter);
        a.iretq();
    }
}
