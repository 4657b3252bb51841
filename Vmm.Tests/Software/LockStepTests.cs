// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>
/// The same guest on KVM and on the processor in software, one instruction at a time: after each, general registers, flags and RIP are
/// equal, and memory at the end. The first difference is reported with what came before it.
/// </summary>
[Category("Kvm")]
internal sealed class LockStepTests
{
    private const int MostSteps = 4000;
    private const int History = 12;

    /// <summary>
    /// KVM's step may go further than one instruction: behind an answered port access, and behind a fault, it takes the next one along.
    /// </summary>
    private const int MostStepsBehind = 3;

    /// <summary>
    /// From here to the data lie the stack, where flags are pushed of which some are the debugger's, and page tables, whose accessed and
    /// dirty bits a hypervisor with tables of its own may set at other times.
    /// </summary>
    private const ulong StackPage = 0x7000;

    /// <summary>CF, PF, ZF, SF, DF, OF and IF; AF is left undefined by too many of the instructions.</summary>
    private const ulong ComparedFlags = 0x0ec5;

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

    private static void Compare(Action<BackendGuest> begin)
    {
        using BackendGuest kvm = new(KvmRequirement.OpenBackend());
        using BackendGuest software = new(new SoftwareBackend());
        Queue<string> history = new();
        foreach (BackendGuest guest in (ReadOnlySpan<BackendGuest>)[kvm, software])
        {
            begin(guest);
            guest.Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        }

        for (int step = 0; step < MostSteps; step++)
        {
            ExitCode expected = Step(kvm);
            GeneralRegisters left = Compared(kvm.Cpu);
            ExitCode found = Step(software);
            for (int more = 1; more < MostStepsBehind && found != ExitCode.Hlt && Compared(software.Cpu) != left; more++)
            {
                found = Step(software);
            }

            GeneralRegisters right = Compared(software.Cpu);
            if (left != right)
            {
                Assert.Fail(Describe(step, history, expected, found, left, right));
            }

            history.Enqueue($"{left.Rip:x}");
            if (history.Count > History)
            {
                history.Dequeue();
            }

            if (expected == ExitCode.Hlt || found == ExitCode.Hlt)
            {
                step.Should().BeGreaterThan(50, "a guest that ends at once compares nothing");
                IsEqual(kvm, software, 0, StackPage).Should().BeTrue("what they wrote is equal");
                IsEqual(kvm, software, BackendGuest.DataAddress, BackendGuest.MemoryLength).Should().BeTrue("what they wrote is equal");
                return;
            }
        }

        Assert.Fail("the guest does not end");
    }

    private static bool IsEqual(BackendGuest kvm, BackendGuest software, ulong first, ulong end) =>
        software.MemoryAt(first, (int)(end - first)).SequenceEqual(kvm.MemoryAt(first, (int)(end - first)));

    /// <summary>One instruction; its port accesses are answered by a rule.</summary>
    private static ExitCode Step(BackendGuest guest)
    {
        while (true)
        {
            VmExit exit = guest.Run();
            if (exit.Code != ExitCode.Inout)
            {
                return exit.Code;
            }

            guest.Cpu.Fulfill(exit.Port.Port * 3u);
        }
    }

    private static GeneralRegisters Compared(IBackendVcpu cpu)
    {
        GeneralRegisters registers = cpu.GeneralRegisters;
        return registers with { Rflags = registers.Rflags & ComparedFlags };
    }

    private static string Describe(
        int step, Queue<string> history, ExitCode expected, ExitCode found, GeneralRegisters left, GeneralRegisters right)
    {
        StringBuilder text = new();
        text.AppendLine($"after {step + 1} instructions, the last at {string.Join(", ", history)}:");
        text.AppendLine($"KVM      {expected} {left}");
        text.AppendLine($"software {found} {right}");
        return text.ToString();
    }
}
