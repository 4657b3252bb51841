// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm.Chips;

/// <summary>Guest code that programs a PC's chips, for a machine of 64-bit code.</summary>
internal sealed class ChipGuest : IDisposable
{
    public const ulong Counter = LongModeMachine.Data;
    public const uint LocalApic = 0xfee00000;
    public const uint IoApic = 0xfec00000;
    public const uint Hpet = 0xfed00000;
    public const uint Eoi = 0xb0;
    public const uint TaskPriority = 0x80;
    public const uint Spurious = 0xf0;
    public const uint CommandLow = 0x300;
    public const uint CommandHigh = 0x310;
    public const uint LvtTimer = 0x320;
    public const uint InitialCount = 0x380;
    public const uint Divide = 0x3e0;

    private const ulong Routines = 0x60000;
    private readonly IHypervisorBackend _backend;
    private ulong _nextRoutine = Routines;

    public ChipGuest(ChipHost host = ChipHost.Userspace, int cpus = 1)
        : this(
            host == ChipHost.Software
                ? new SoftwareBackend(new SoftwareBackendOptions { MaxCpus = Math.Max(cpus, SoftwareBackendOptions.DefaultMaxCpus) })
                : KvmRequirement.OpenBackend(),
            cpus,
            host)
    {
    }

    public ChipGuest(IHypervisorBackend backend, int cpus, ChipHost host = ChipHost.Software)
    {
        _backend = backend;
        InterruptControllerMode mode = host switch
        {
            ChipHost.Split => InterruptControllerMode.Split,
            ChipHost.Kernel => InterruptControllerMode.Kernel,
            _ => InterruptControllerMode.Userspace,
        };
        Machine = new LongModeMachine(_backend, mode, cpus, chips: true);
    }

    /// <summary>The events of the host that executes the guest.</summary>
    public IHostEvents Events => (IHostEvents)_backend;

    public LongModeMachine Machine { get; }

    /// <summary>Whether the host is KVM on a PVM one, which interprets kernel-mode code.</summary>
    public bool IsInterpreted => _backend.Description.InterpretsKernelMode;

    /// <summary>The value of a counter in the guest's memory.</summary>
    public ulong Count(int index = 0) => Machine.Read64(Counter + ((ulong)index * 8));

    /// <summary>Installs an interrupt handler: counts, does something more, returns.</summary>
    public void Handle(byte vector, Action<Assembler> more, int counter = 0)
    {
        ulong routine = _nextRoutine;
        _nextRoutine += 0x100;
        Machine.Assemble(routine, a =>
        {
            a.push(rax);
            a.push(rdx);
            a.push(rcx);
            a.mov(rax, Counter + ((ulong)counter * 8));
            a.@lock.inc(__qword_ptr[rax]);
            more(a);
            a.pop(rcx);
            a.pop(rdx);
            a.pop(rax);
            a.iretq();
        });
        Machine.Assemble(LongModeMachine.Handlers + (vector * 16ul), a => a.jmp(routine));
    }

    public static void EndOfInterrupt(Assembler a) => Write(a, LocalApic + Eoi, 0);

    public static void EndOfPicInterrupt(Assembler a) => Out(a, 0x20, 0x20);

    /// <summary>Writes a doubleword of a memory-mapped register; spoils RAX.</summary>
    public static void Write(Assembler a, uint address, uint value)
    {
        a.mov(rax, (ulong)address);
        a.mov(__dword_ptr[rax], (int)value);
    }

    public static void Out(Assembler a, byte port, byte value)
    {
        a.mov(al, value);
        a.@out(port, al);
    }

    /// <summary>Writes an MSR from a constant; spoils RAX, RCX and RDX.</summary>
    public static void WriteMsr(Assembler a, uint index, ulong value)
    {
        a.mov(ecx, index);
        a.mov(eax, (uint)value);
        a.mov(edx, (uint)(value >> 32));
        a.wrmsr();
    }

    public static void EnableLocalApic(Assembler a) => Write(a, LocalApic + Spurious, 0x1ff);

    /// <summary>Initializes the 8259 pair to vectors 20h and 28h, with a mask of the first chip's requests.</summary>
    public static void InitializePic(Assembler a, byte mask)
    {
        foreach ((byte port, byte value) in (ReadOnlySpan<(byte, byte)>)
            [(0x20, 0x11), (0xa0, 0x11), (0x21, 0x20), (0xa1, 0x28), (0x21, 4), (0xa1, 2), (0x21, 1), (0xa1, 1), (0x21, mask), (0xa1, 0xff)])
        {
            Out(a, port, value);
        }
    }

    /// <summary>Lets counter 0 of the 8254 run in mode 2.</summary>
    public static void StartPit(Assembler a, ushort count)
    {
        Out(a, 0x43, 0x34);
        Out(a, 0x40, (byte)count);
        Out(a, 0x40, (byte)(count >> 8));
    }

    /// <summary>Routes a pin of the I/O APIC to vCPU 0.</summary>
    public static void RoutePin(Assembler a, int pin, uint low)
    {
        Write(a, IoApic, (uint)(0x11 + (pin * 2)));
        Write(a, IoApic + 0x10, 0);
        Write(a, IoApic, (uint)(0x10 + (pin * 2)));
        Write(a, IoApic + 0x10, low);
    }

    /// <summary>Looks at a counter, without sleeping, until it has reached a value; spoils RBX.</summary>
    public static void SpinUntil(Assembler a, ulong count, int counter = 0)
    {
        Label again = a.CreateLabel();
        a.mov(rbx, Counter + ((ulong)counter * 8));
        a.Label(ref again);
        a.pause();
        a.cmp(__qword_ptr[rbx], (int)count);
        a.jb(again);
    }

    /// <summary>Sleeps with interrupts enabled until a counter has reached a value.</summary>
    public static void WaitFor(Assembler a, ulong count, int counter = 0)
    {
        Label again = a.CreateLabel();
        Label reached = a.CreateLabel();
        a.mov(rbx, Counter + ((ulong)counter * 8));
        a.Label(ref again);
        a.cli();
        a.cmp(__qword_ptr[rbx], (int)count);
        a.jae(reached);
        a.sti();
        a.hlt();
        a.jmp(again);
        a.Label(ref reached);
        a.cli();
    }

    /// <summary>Loads the interrupt table of a processor that comes from real mode and has none.</summary>
    public void LoadInterruptTable(Assembler a)
    {
        const ulong Pointer = 0x9000;
        Machine.Write(Pointer, 0xff, 0x0f, 0, 0x30, 0, 0, 0, 0, 0, 0);
        a.lidt(__[Pointer]);
    }

    /// <summary>Runs vCPU 0 to its end, and the others until the VM is suspended then.</summary>
    public void RunAll()
    {
        VirtualMachine machine = Machine.Machine;
        Background[] others =
        [
            .. Enumerable.Range(1, machine.MaxCpus - 1).Select(id => Background.Start(() =>
            {
                while (machine.GetVcpu(new VcpuId(id)).Run(VmEntry.Default).Code != ExitCode.Suspended)
                {
                }
            })),
        ];
        Machine.RunToEnd();
        machine.Suspend(SuspendReason.PowerOff);
        foreach (Background other in others)
        {
            other.Join();
        }
    }

    public void Dispose() => Machine.Dispose();
}
