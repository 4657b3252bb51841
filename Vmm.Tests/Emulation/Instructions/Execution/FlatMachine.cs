// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>A small machine for tests: 1 MiB of memory, code at 0x8000, a stack below 0x7000, tables from 0x1000 on.</summary>
internal sealed class FlatMachine : FlatDevices
{
    internal const ulong Code = 0x8000;
    internal const ulong Handler = 0xA000;
    internal const ulong Stack = 0x7000;
    internal const int Gdt = 0x1000;
    internal const int Idt = 0x2000;
    internal const int Tss = 0x3000;

    private readonly byte[] _memory = new byte[1 << 20];
    private FlatCpu _cpu;

    internal FlatMachine()
    {
        _cpu = new(State, _memory, this);
    }

    internal CpuState State { get; } = new();

    internal Span<byte> Memory => _memory;

    internal byte[] Bytes => _memory;

    internal List<(ushort Port, ulong Value, int Size)> Written { get; } = [];

    internal List<(ulong Address, ulong Value)> DeviceWrites { get; } = [];

    internal uint PortValue { get; set; } = 0x1234_5678;

    internal BusOutcome Outcome { get; set; } = BusOutcome.Done;

    /// <summary>A component of the XSAVE area beside those of every flat CPU, and its place.</summary>
    internal (uint Index, CpuidResult Place) Layout { get; set; }

    /// <summary>16-bit real mode.</summary>
    internal static FlatMachine Real()
    {
        FlatMachine machine = new();
        for (int segment = 0; segment < 6; segment++)
        {
            machine.State.Segments[segment] = new() { Limit = 0xFFFF, Access = segment == (int)SegmentName.Cs ? 0x9Bu : 0x93 };
        }

        machine.State.Idtr = new(0, 0x3FF);
        machine.State.Rip = Code;
        machine.State.General[4] = Stack;
        return machine;
    }

    /// <summary>
    /// 32-bit protected mode without paging. GDT: 08 code 0, 10 data 0, 1B code 3, 23 data 3, 28 TSS, 30 call gate to 08:A000 (DPL 3).
    /// IDT: every vector an interrupt gate (DPL 0) to 08:A000 + vector * 16, vector 0x80 with DPL 3.
    /// </summary>
    internal static FlatMachine Protected(int cpl = 0)
    {
        FlatMachine machine = new();
        machine.BuildGdt(codeFlags: 0xCF);
        for (int vector = 0; vector < 256; vector++)
        {
            ulong offset = Handler + (ulong)vector * 16;
            ulong dpl = vector == 0x80 ? 3u : 0;
            machine.Write64(Idt + vector * 8, offset & 0xFFFF | 8 << 16 | (0x8EUL | dpl << 5) << 40 | offset >> 16 << 48);
        }

        machine.Write64(Gdt + 0x30, (Handler & 0xFFFF) | 8 << 16 | 0xECUL << 40);
        machine.State.Cr0 = 0x11;
        machine.Enter(cpl, 0xC09B, 0xC093, idtLimit: 0x7FF);

        // SS0:ESP0 in the TSS.
        machine.Write32(Tss + 4, 0x6000);
        machine.Write32(Tss + 8, 0x10);
        return machine;
    }

    /// <summary>64-bit mode with the first 2 MiB identity-mapped for everyone.</summary>
    internal static FlatMachine Long(int cpl = 0)
    {
        FlatMachine machine = new();
        machine.BuildGdt(codeFlags: 0xAF);
        for (int vector = 0; vector < 256; vector++)
        {
            ulong offset = Handler + (ulong)vector * 16;
            ulong dpl = vector == 0x80 ? 3u : 0;
            machine.Write64(Idt + vector * 16, offset & 0xFFFF | 8 << 16 | (0x8EUL | dpl << 5) << 40 | offset >> 16 << 48);
        }

        machine.Write64(0xC000, 0xD007);
        machine.Write64(0xD000, 0xE007);
        machine.Write64(0xE000, 0x87);
        machine.State.Cr0 = 0x8001_0033;
        machine.State.Cr3 = 0xC000;
        machine.State.Cr4 = 0x5_06A0;
        machine.State.Efer = 0xD01;
        machine.State.Xcr0 = 0x2E7;
        machine.Enter(cpl, 0xA09B, 0xC093, idtLimit: 0xFFF);
        machine.Write64(Tss + 4, 0x6000);
        machine.Write64(Tss + 0x24, 0x5000);
        return machine;
    }

    internal void Load(params ReadOnlySpan<byte> code) => code.CopyTo(_memory.AsSpan((int)Code));

    internal ExecutionResult Step() => Executor.Step(ref _cpu);

    internal ExecutionResult Run(int count, bool deliver = true) => Executor.Run(ref _cpu, count, deliver, out _);

    internal ExecutionResult Deliver(byte vector, uint? error = null) => Executor.Deliver(ref _cpu, vector, InterruptKind.HardwareException, error);

    internal ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(_memory.AsSpan((int)address));

    internal uint Read32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(_memory.AsSpan((int)address));

    internal ushort Read16(ulong address) => BinaryPrimitives.ReadUInt16LittleEndian(_memory.AsSpan((int)address));

    internal void Write64(int address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_memory.AsSpan(address), value);

    internal void Write32(int address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_memory.AsSpan(address), value);

    public override BusOutcome ReadPort(ushort port, Span<byte> data)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(value, PortValue);
        value[..data.Length].CopyTo(data);
        return Outcome;
    }

    public override BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data)
    {
        Written.Add((port, Value(data), data.Length));
        return Outcome;
    }

    public override BusOutcome ReadMemory(ulong physicalAddress, Span<byte> data)
    {
        data.Fill(0x5A);
        return Outcome;
    }

    public override BusOutcome WriteMemory(ulong physicalAddress, ReadOnlySpan<byte> data)
    {
        DeviceWrites.Add((physicalAddress, Value(data)));
        return Outcome;
    }

    public override CpuidResult Cpuid(uint leaf, uint subleaf)
        => leaf == 0xD && subleaf > 1 && subleaf == Layout.Index ? Layout.Place : base.Cpuid(leaf, subleaf);

    public override bool TryGetRandom(out ulong value)
    {
        value = 0x0123_4567_89AB_CDEF;
        return true;
    }

    private static ulong Value(ReadOnlySpan<byte> data)
    {
        Span<byte> value = stackalloc byte[8];
        data.CopyTo(value);
        return BinaryPrimitives.ReadUInt64LittleEndian(value);
    }

    private void BuildGdt(ulong codeFlags)
    {
        Write64(Gdt + 0x08, 0x0000_9B00_0000_FFFFUL | codeFlags << 48);
        Write64(Gdt + 0x10, 0x00CF_9300_0000_FFFFUL);
        Write64(Gdt + 0x18, 0x0000_FB00_0000_FFFFUL | codeFlags << 48);
        Write64(Gdt + 0x20, 0x00CF_F300_0000_FFFFUL);
        Write64(Gdt + 0x28, 0x0000_8900_0000_2067UL | (ulong)(Tss & 0xFFFF) << 16);
    }

    private void Enter(int cpl, uint codeAccess, uint dataAccess, ushort idtLimit)
    {
        uint dpl = (uint)cpl << 5;
        ushort add = cpl == 3 ? (ushort)0x13 : (ushort)0;
        foreach (SegmentName segment in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ss, SegmentName.Ds])
        {
            State.Segments[(int)segment] = new() { Limit = uint.MaxValue, Access = dataAccess | dpl, Selector = (ushort)(0x10 + add) };
        }

        State.Segments[(int)SegmentName.Cs] = new() { Limit = uint.MaxValue, Access = codeAccess | dpl, Selector = (ushort)(8 + add) };
        State.Segments[(int)SegmentName.Fs] = new() { Access = 1 << 16 };
        State.Segments[(int)SegmentName.Gs] = new() { Access = 1 << 16 };
        State.Segments[(int)SegmentName.Ldtr] = new() { Access = 1 << 16 };
        State.Segments[(int)SegmentName.Tr] = new() { Base = Tss, Limit = 0x2067, Access = 0x8B, Selector = 0x28 };
        State.Gdtr = new(Gdt, 0x37);
        State.Idtr = new(Idt, idtLimit);
        State.Rip = Code;
        State.General[4] = Stack;
    }
}
