// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Engine;

namespace Vmm.Tests.Support;

/// <summary>
/// A VM of the engine whose vCPUs execute 64-bit code: 2 MiB of RAM at 0, the first 4 GiB mapped onto themselves (4 KiB pages below
/// 2 MiB, accessible at CPL 3), GDT, TSS, and an IDT whose entries point at <see cref="Handlers"/>, 16 bytes apart, where each vector is told to <see cref="FaultPort"/>.
/// </summary>
internal sealed class LongModeMachine : IDisposable
{
    public const ulong Code = 0x40000;
    public const ulong Handlers = 0x30000;

    /// <summary>Where vCPUs other than 0 begin.</summary>
    public const ulong OthersCode = 0x50000;
    public const ulong Data = 0x80000;
    public const ulong MemoryLength = 0x200000;
    public const ushort EndPort = 0x5555;

    /// <summary>Where a handler that no test has replaced tells its vector.</summary>
    public const ushort FaultPort = 0x5556;

    /// <summary>The table with the 4 KiB pages below 2 MiB.</summary>
    public const ulong FirstPageTable = 0x18000;

    private const ulong Gdt = 0x1000;
    private const ulong Tss = 0x2000;
    private const ulong Idt = 0x3000;
    private const ulong PageTables = 0x10000;
    private const ulong Trampoline = 0x8000;
    private const ulong MostXcr0 = 7;
    private const uint Cr0 = 0x80010033;
    private const uint Cr4 = (1 << 5) | (1 << 9) | (1 << 10) | (1 << 18);

    private readonly IHypervisorBackend _backend;

    public LongModeMachine(
        IHypervisorBackend backend,
        InterruptControllerMode mode = InterruptControllerMode.Userspace,
        int cpus = 1,
        bool secondChance = true,
        UnclaimedAccess unclaimed = UnclaimedAccess.Exit,
        bool chips = false,
        ManualClock? clock = null,
        Func<VirtualMachineOptions, VirtualMachineOptions>? configure = null)
    {
        _backend = backend;
        VirtualMachineOptions options = new()
        {
            Name = "long-mode",
            MaxCpus = cpus,
            InterruptControllerMode = mode,
            SecondChance = secondChance,
            UnclaimedAccess = unclaimed,
            PlatformChips = chips,
        };
        Machine = new VirtualMachineFactory(backend).Create(configure is null ? options : configure(options), clock);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), MemoryLength, true);
            Machine.MemoryMap.Map(
                freeze,
                new GuestMemoryMapping(default, MemoryLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        WriteTables();
        for (int i = 0; i < cpus; i++)
        {
            Prepare(Machine.GetVcpu(new VcpuId(i)));
        }
    }

    public VirtualMachine Machine { get; }

    /// <summary>Whether vCPUs other than 0 wait for a start-up interrupt.</summary>
    private bool WaitForStart => Machine.HasLocalApics || Machine.InterruptControllerMode != InterruptControllerMode.Userspace;

    public VirtualCpu Cpu => Machine.GetVcpu(new VcpuId(0));

    /// <summary>The stack of a vCPU ends here.</summary>
    public static ulong StackTop(VcpuId id) => 0x70000 - ((ulong)id.Value * 0x4000);

    /// <summary>Assembles code to an address.</summary>
    public void Assemble(ulong address, Action<Assembler> write)
    {
        Assembler assembler = new(64);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        Write(address, stream.ToArray());
    }

    /// <summary>Assembles the code at which the vCPUs begin; behind it the end: an output to <see cref="EndPort"/>.</summary>
    public void Assemble(Action<Assembler> write) => Assemble(Code, assembler =>
    {
        write(assembler);
        End(assembler);
    });

    /// <summary>
    /// Where local APICs are the hypervisor's, only another processor starts one: INIT and start-up interrupts to all others, which
    /// come through real mode to <see cref="Code"/>. For the first code of vCPU 0.
    /// </summary>
    public void StartOthers(Assembler assembler)
    {
        if (!WaitForStart)
        {
            return;
        }

        const ulong InterruptCommand = 0xfee00300;
        WriteTrampoline();
        assembler.mov(AssemblerRegisters.rdi, InterruptCommand);
        assembler.mov(AssemblerRegisters.__dword_ptr[AssemblerRegisters.rdi], 0x000c4500);
        assembler.mov(AssemblerRegisters.__dword_ptr[AssemblerRegisters.rdi], 0x000c4600 | (int)(Trampoline >> 12));
    }

    private void WriteTrampoline()
    {
        const ulong Pointer = Trampoline + 0x100;
        const ulong Wide = Trampoline + 0x200;
        Write(Pointer, 0xff, 0, unchecked((byte)Gdt), (byte)(Gdt >> 8), 0, 0);
        Assembler assembler = new(16);
        assembler.lgdt(AssemblerRegisters.__[(ushort)Pointer]);
        assembler.mov(AssemblerRegisters.eax, Cr4);
        assembler.mov(AssemblerRegisters.cr4, AssemblerRegisters.eax);
        assembler.mov(AssemblerRegisters.eax, (uint)PageTables);
        assembler.mov(AssemblerRegisters.cr3, AssemblerRegisters.eax);
        assembler.mov(AssemblerRegisters.ecx, 0xc0000080);
        assembler.mov(AssemblerRegisters.eax, 0x900);
        assembler.xor(AssemblerRegisters.edx, AssemblerRegisters.edx);
        assembler.wrmsr();
        assembler.mov(AssemblerRegisters.eax, Cr0);
        assembler.mov(AssemblerRegisters.cr0, AssemblerRegisters.eax);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), Trampoline);

        // jmp far 0x10:Wide, with a 32-bit offset.
        stream.Write([0x66, 0xea, unchecked((byte)Wide), unchecked((byte)(Wide >> 8)), 0, 0, 0x10, 0]);
        Write(Trampoline, stream.ToArray());
        Assemble(Wide, a =>
        {
            a.mov(AssemblerRegisters.rsp, StackTop(new VcpuId(1)));
            a.mov(AssemblerRegisters.rax, OthersCode);
            a.jmp(AssemblerRegisters.rax);
        });
    }

    /// <summary>Leaves the guest for good.</summary>
    public static void End(Assembler assembler)
    {
        assembler.mov(AssemblerRegisters.dx, (short)EndPort);
        assembler.@out(AssemblerRegisters.dx, AssemblerRegisters.al);
    }

    /// <summary>Makes a vCPU start in user mode, with its own stack.</summary>
    public static void EnterUserMode(VirtualCpu cpu, ulong rip)
    {
        cpu.SetRegister(RegisterName.Cs, 0x23);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xa0fb)));
        cpu.SetRegister(RegisterName.Ss, 0x2b);
        cpu.SetSegmentDescriptor(RegisterName.Ss, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc0f3)));
        cpu.SetRegister(RegisterName.Rip, rip);
    }

    public void Write(ulong address, params ReadOnlySpan<byte> bytes) =>
        Machine.Memory.TryWrite(new GuestPhysicalAddress(address), bytes).Should().BeTrue();

    public void Write64(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Write(address, bytes);
    }

    public byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Machine.Memory.TryRead(new GuestPhysicalAddress(address), bytes).Should().BeTrue();
        return bytes;
    }

    public ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Read(address, 8));

    public VmExit Run() => Cpu.Run(VmEntry.Default);

    public VmExit Run(in VmEntry entry) => Cpu.Run(entry);

    /// <summary>Runs vCPU 0 until the end of its code.</summary>
    public void RunToEnd()
    {
        VmExit exit = Run();
        exit.Code.Should().Be(ExitCode.Inout, exit.ToString());
        exit.Port.Port.Should().Be(EndPort, $"{exit}{Fault(exit)}");
    }

    /// <summary>Reinitializes the VM, whose vCPUs begin again.</summary>
    public void Reinitialize()
    {
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }

        foreach (VirtualCpu cpu in Machine.Vcpus)
        {
            Prepare(cpu);
        }
    }

    /// <summary>What an exception's frame says.</summary>
    private string Fault(in VmExit exit)
    {
        if (exit.Port.Port != FaultPort)
        {
            return "";
        }

        bool hasErrorCode = exit.Port.Eax is 8 or (>= 10 and <= 14) or 17;
        ulong frame = Cpu.GetRegister(RegisterName.Rsp) + (hasErrorCode ? 8ul : 0);
        ulong rip = Read64(frame);
        return $": vector {exit.Port.Eax} at 0x{rip:x}, bytes {Convert.ToHexString(Read(rip, 15))}";
    }

    public void Dispose()
    {
        Machine.Dispose();
        _backend.Dispose();
    }

    /// <summary>Activates a vCPU and puts it in front of its code.</summary>
    public void Prepare(VirtualCpu cpu)
    {
        cpu.Activate();
        cpu.SetRunState(cpu.Id.Value > 0 && Machine.HasLocalApics ? VcpuRunState.Halt : VcpuRunState.Run);
        cpu.Reset(initOnly: false);
        cpu.SetRegister(RegisterName.Cr3, PageTables);
        cpu.SetRegister(RegisterName.Cr4, Cr4);
        cpu.SetRegister(RegisterName.Efer, (1 << 8) | (1 << 10) | (1 << 11));
        cpu.SetRegister(RegisterName.Cr0, Cr0);
        cpu.SetRegister(RegisterName.Xcr0, Xcr0(_backend));
        cpu.SetRegister(RegisterName.Cs, 0x10);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xa09b)));
        foreach (RegisterName register in (ReadOnlySpan<RegisterName>)[RegisterName.Ds, RegisterName.Es, RegisterName.Ss])
        {
            cpu.SetRegister(register, 0x18);
            cpu.SetSegmentDescriptor(register, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc093)));
        }

        cpu.SetRegister(RegisterName.Tr, 0x30);
        cpu.SetSegmentDescriptor(RegisterName.Tr, new SegmentDescriptor(Tss, 0x2fff, new SegmentAccess(0x8b)));
        cpu.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor(Gdt, 0xff, default));
        cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(Idt, 0xfff, default));
        cpu.GeneralRegisters = new GeneralRegisters { Rip = cpu.Id.Value == 0 ? Code : OthersCode, Rsp = StackTop(cpu.Id), Rflags = 2 };
    }

    /// <summary>x87, SSE and AVX, as far as the hypervisor has them.</summary>
    private static ulong Xcr0(IHypervisorBackend backend)
    {
        const uint ExtendedState = 0xd;
        return backend.GetSupportedCpuid().First(entry => entry is { Function: ExtendedState, Index: 0 }).Eax & MostXcr0;
    }

    private void WriteTables()
    {
        ulong[] gdt =
        [
            0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00affb000000ffff, 0x00cff3000000ffff,
            0x00008b002000ffff & ~0xf000ul, 0,
        ];
        Write(Gdt, MemoryMarshal.AsBytes(gdt.AsSpan()));

        // RSP0, and a bitmap behind the TSS that permits every port.
        Write64(Tss + 4, 0x7f000);
        Write(Tss + 102, 104, 0);
        for (ulong vector = 0; vector < 256; vector++)
        {
            ulong handler = Handlers + (vector * 16);
            Write64(Idt + (vector * 16), (handler & 0xffff) | (0x10ul << 16) | (0xee00ul << 32) | (handler >> 16 << 48));
            Write64(Idt + (vector * 16) + 8, 0);

            // mov dx, FaultPort; mov al, vector; out dx, al
            Write(handler, 0x66, 0xba, FaultPort & 0xff, FaultPort >> 8, 0xb0, (byte)vector, 0xee);
        }

        const ulong Rights = 7;
        const ulong Large = 0x80;
        Write64(PageTables, PageTables + 0x1000 | Rights);
        for (ulong gigabyte = 0; gigabyte < 4; gigabyte++)
        {
            ulong directory = PageTables + 0x2000 + (gigabyte * 0x1000);
            Write64(PageTables + 0x1000 + (gigabyte * 8), directory | Rights);
            for (ulong entry = 0; entry < 512; entry++)
            {
                Write64(directory + (entry * 8), (gigabyte << 30) | (entry << 21) | Large | Rights);
            }
        }

        Write64(PageTables + 0x2000, FirstPageTable | Rights);
        for (ulong page = 0; page < 512; page++)
        {
            Write64(FirstPageTable + (page * 8), (page << 12) | Rights);
        }
    }
}
