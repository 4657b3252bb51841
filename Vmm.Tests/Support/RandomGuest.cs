// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Support;

/// <summary>
/// The memory and the registers of a random guest. Most have tables that lead somewhere, with a few damaged entries, so that they execute
/// for a while in their mode; the others have random bytes for tables too.
/// </summary>
internal sealed class RandomGuest(Random random, RandomGuestMode mode)
{
    private const int Code = 0x1000;
    private const int CodeLength = 0x3000;
    private const int Gdt = 0x5000;
    private const int Idt = 0x6000;
    private const int Stack = 0xf000;
    private const int Pml4 = 0x10000;
    private const int Pdpt = 0x11000;
    private const int Directory = 0x12000;
    private const int Table = 0x13000;
    private const int Directory32 = 0x14000;
    private const int Table32 = 0x15000;
    private const int TablesEnd = 0x16000;
    private const ulong Rights = 7;

    private readonly bool _hasTables = random.Next(4) != 0;
    private readonly bool _isPae = random.Next(2) == 0;

    /// <summary>Fills all of the memory.</summary>
    public void FillMemory(Span<byte> memory)
    {
        const int Island = 0x4000;
        memory.Clear();
        for (int islands = random.Next(1, 12); islands > 0; islands--)
        {
            random.NextBytes(memory.Slice(random.Next(memory.Length - Island), Island));
        }

        random.NextBytes(memory[..Pml4]);
        if (_hasTables)
        {
            WritePageTables(memory);
            WriteDescriptors(memory);
        }
        else
        {
            WriteRandomPageTables(memory);
        }

        if (random.Next(3) != 0)
        {
            WriteCode(memory.Slice(Code, CodeLength));
        }
    }

    /// <summary>Sets the registers of a vCPU.</summary>
    public void SetRegisters(RegisterSetter cpu)
    {
        cpu.SetGeneral(new GeneralRegisters
        {
            Rax = Value(),
            Rbx = Value(),
            Rcx = Value(),
            Rdx = Value(),
            Rsi = Value(),
            Rdi = Value(),
            Rbp = Value(),
            Rsp = random.Next(3) == 0 ? Value() : Stack - (ulong)random.Next(0x800),
            R8 = Value(),
            R9 = Value(),
            Rip = (ulong)(random.Next(2) == 0 ? Code : Code + random.Next(CodeLength)),
            Rflags = (random.Next(2) == 0 ? 0 : (ulong)random.NextInt64() & 0x3f7ed7) | 2,
        });
        bool isFlat = _hasTables && random.Next(4) != 0;
        for (RegisterName register = RegisterName.Es; register <= RegisterName.Tr; register++)
        {
            if (isFlat)
            {
                SetFlat(cpu, register);
            }
            else
            {
                SetRandom(cpu, register);
            }
        }

        ulong gdt = _hasTables ? Gdt : (ulong)random.Next(0x8000);
        ulong idt = mode == RandomGuestMode.Real && isFlat ? 0 : _hasTables ? Idt : (ulong)random.Next(0x8000);
        cpu.SetDescriptor(RegisterName.Gdtr, new SegmentDescriptor(gdt, 0xffff, default));
        cpu.SetDescriptor(RegisterName.Idtr, new SegmentDescriptor(idt, 0xffff, default));
        Enter(cpu);
    }

    /// <summary>The guest's debug registers, a debugger's breakpoints, and what ends a batch.</summary>
    public void SetDebugging(IBackendVcpu cpu)
    {
        cpu.SetRegister(RegisterName.Xcr0, random.Next(3) switch { 0 => 1u, 1 => 3, _ => 7 });
        if (random.Next(4) == 0)
        {
            for (RegisterName register = RegisterName.Dr0; register <= RegisterName.Dr3; register++)
            {
                cpu.SetRegister(register, random.Next(2) == 0 ? Value() : (ulong)random.Next(Code + CodeLength));
            }

            cpu.SetRegister(RegisterName.Dr7, (ulong)random.NextInt64() & uint.MaxValue);
            cpu.SetRegister(RegisterName.Dr6, (ulong)random.NextInt64() & uint.MaxValue);
        }

        if (random.Next(8) == 0)
        {
            BreakpointKind[] kinds = [BreakpointKind.Execution, BreakpointKind.Write, BreakpointKind.Access];
            ((IBackendDebugging)cpu).SetHardwareBreakpoints(
            [
                .. Enumerable.Range(0, random.Next(1, 5)).Select(
                    _ => new HardwareBreakpoint(new((ulong)random.Next(Code + CodeLength) & ~7ul), kinds[random.Next(3)], 1)),
            ]);
        }

        foreach (VcpuCapability capability in (ReadOnlySpan<VcpuCapability>)
            [VcpuCapability.MonitorTrapExit, VcpuCapability.PauseExit, VcpuCapability.BreakpointExit])
        {
            cpu.SetCapability(capability, random.Next(16) == 0);
        }
    }

    /// <summary>Four levels, three, and the two of 32-bit paging, all of which lead every address to memory; some entries are damaged.</summary>
    private void WritePageTables(Span<byte> memory)
    {
        for (int entry = 0; entry < 512; entry++)
        {
            Write64(memory, Pml4 + (entry * 8), Pdpt | Rights);

            // The rights of an entry of the four that PAE has are reserved bits there.
            Write64(memory, Pdpt + (entry * 8), Directory | (mode == RandomGuestMode.Long ? Rights : 1));
            Write64(memory, Directory + (entry * 8), random.Next(4) == 0 ? 0x80 | Rights : Table | Rights);
            Write64(memory, Table + (entry * 8), ((ulong)entry << 12) | Rights);
        }

        for (int entry = 0; entry < 1024; entry++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(memory[(Directory32 + (entry * 4))..], Table32 | (uint)Rights);
            BinaryPrimitives.WriteUInt32LittleEndian(memory[(Table32 + (entry * 4))..], (uint)(entry % 512) << 12 | (uint)Rights);
        }

        for (int damages = random.Next(24) - 8; damages > 0; damages--)
        {
            random.NextBytes(memory.Slice(random.Next(Pml4, TablesEnd) & ~7, random.Next(1, 9)));
        }
    }

    /// <summary>Entries that are present and point anywhere, now and then with random rights.</summary>
    private void WriteRandomPageTables(Span<byte> memory)
    {
        for (int at = Pml4; at < TablesEnd; at += 8)
        {
            ulong target = (ulong)random.Next(memory.Length >> 12) << 12;
            Write64(memory, at, target | (random.Next(8) == 0 ? (ulong)random.NextInt64() & 0x8000_0000_0000_0fff : Rights));
        }
    }

    /// <summary>Segments of every kind, and gates that lead into the code; some are damaged.</summary>
    private void WriteDescriptors(Span<byte> memory)
    {
        const ulong Code64 = 0x00af_9b00_0000_ffff;
        const ulong Code32 = 0x00cf_9b00_0000_ffff;
        const ulong Data = 0x00cf_9300_0000_ffff;
        const ulong User = 0x0000_6000_0000_0000;
        ulong code = mode == RandomGuestMode.Long ? Code64 : Code32;
        ulong[] segments = [0, code, Data, code | User, Data | User, Code32, Code64, (ulong)random.NextInt64()];
        for (int number = 0; number < 0x200; number++)
        {
            Write64(memory, Gdt + (number * 8), segments[number % segments.Length]);
        }

        int size = mode == RandomGuestMode.Long ? 16 : 8;
        for (int vector = 0; vector < 256; vector++)
        {
            // An interrupt or a trap gate to the first segment of code.
            ulong offset = (ulong)(Code + random.Next(CodeLength));
            ulong kind = random.Next(2) == 0 ? 0x8e00UL : 0xef00UL;
            Span<byte> gate = memory.Slice(Idt + (vector * size), size);
            gate.Clear();
            Write64(gate, 0, offset | 8 << 16 | kind << 32);

            // The same in real mode.
            BinaryPrimitives.WriteUInt32LittleEndian(memory[(vector * 4)..], (uint)offset);
        }

        for (int damages = random.Next(24) - 12; damages > 0; damages--)
        {
            random.NextBytes(memory.Slice(random.Next(Gdt, Idt + 0x1000), random.Next(1, 5)));
        }
    }

    /// <summary>Instructions that seldom fault, with raw bytes among them, and a jump back at the end.</summary>
    private void WriteCode(Span<byte> code)
    {
        new RandomPrograms(random).Fill(code);
        for (int islands = random.Next(6); islands > 0; islands--)
        {
            random.NextBytes(code.Slice(random.Next(code.Length - 16), random.Next(1, 16)));
        }

        // Loops of all lengths: jmp rel16 or rel32.
        for (int at = random.Next(16, 0x200); at < code.Length - 8; at += random.Next(16, 0x400))
        {
            int back = random.Next(at);
            code[at] = 0xe9;
            if (mode == RandomGuestMode.Real)
            {
                BinaryPrimitives.WriteInt16LittleEndian(code[(at + 1)..], (short)(back - (at + 3)));
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(code[(at + 1)..], back - (at + 5));
            }
        }
    }

    private void SetFlat(RegisterSetter cpu, RegisterName register)
    {
        bool isReal = mode == RandomGuestMode.Real;
        bool isUser = !isReal && random.Next(8) == 0;
        bool isCode = register == RegisterName.Cs;
        ulong selector = isReal ? 0 : (isCode ? 8u : 0x10u) + (isUser ? 0x13u : 0);
        uint access = (isCode ? 0x9bu : 0x93u) | (isUser ? 0x60u : 0);
        access |= isReal ? 0 : isCode && mode == RandomGuestMode.Long ? 0xa000u : 0xc000u;
        if (register == RegisterName.Tr)
        {
            access = 0x8b;
        }
        else if (register == RegisterName.Ldtr)
        {
            access = 0x82;
        }

        cpu.Set(register, selector);
        cpu.SetDescriptor(register, new SegmentDescriptor(0, isReal ? 0xffff : uint.MaxValue, new SegmentAccess(access)));
    }

    private void SetRandom(RegisterSetter cpu, RegisterName register)
    {
        uint access = random.Next(4) == 0 ? (uint)random.Next(0x20000) : register == RegisterName.Cs ? 0x9bu : 0x93u;
        access |= random.Next(2) == 0 ? 0xc000u : 0;
        cpu.Set(register, (ulong)random.Next(0x10000));
        cpu.SetDescriptor(
            register, new SegmentDescriptor(random.Next(4) == 0 ? Value() : 0, uint.MaxValue >> random.Next(32), new SegmentAccess(access)));
    }

    private void Enter(RegisterSetter cpu)
    {
        const ulong PhysicalAddressExtension = 1 << 5;
        switch (mode)
        {
            case RandomGuestMode.Real:
                break;
            case RandomGuestMode.Protected:
                cpu.Set(RegisterName.Cr0, 0x11);
                break;
            case RandomGuestMode.Paged:
                cpu.Set(RegisterName.Cr3, (ulong)(_isPae ? Pdpt : Directory32));
                cpu.Set(
                    RegisterName.Cr4, ((ulong)random.Next(0x800) & ~PhysicalAddressExtension) | (_isPae ? PhysicalAddressExtension : 0));
                cpu.Set(RegisterName.Cr0, 0x80000011);
                break;
            case RandomGuestMode.Long:
                cpu.Set(RegisterName.Cr3, Pml4);
                cpu.Set(RegisterName.Cr4, 0x6a0);
                cpu.Set(RegisterName.Efer, 0xd01);
                cpu.Set(RegisterName.Cr0, 0x80010031);
                break;
            default:
                // What no processor could be in: the executor has to bear it.
                cpu.Set(RegisterName.Cr3, Pml4);
                cpu.Set(RegisterName.Cr0, (ulong)random.NextInt64());
                cpu.Set(RegisterName.Cr4, (ulong)random.NextInt64());
                cpu.Set(RegisterName.Efer, (ulong)random.NextInt64());
                break;
        }
    }

    private ulong Value() => random.Next(4) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => (ulong)random.NextInt64() | 0xffff_8000_0000_0000,
        2 => (ulong)random.Next(16),
        _ => (ulong)random.Next((int)BackendGuest.MemoryLength),
    };

    private static void Write64(Span<byte> memory, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(memory[at..], value);
}
