// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>One decoded instruction: 32 bytes, immutable, without any reference to memory. The default value is an invalid instruction.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public readonly struct Instruction
{
    /// <summary>Marks <see cref="Base"/> or <see cref="Index"/> as absent.</summary>
    internal const byte NoRegister = 16;

    /// <summary>Marks <see cref="Base"/> as the address of the next instruction.</summary>
    internal const byte RipRegister = 17;

    [FieldOffset(0)]
    private readonly ulong _cell;

    [FieldOffset(4)]
    private readonly Operation _operation;

    [FieldOffset(8)]
    private readonly ulong _immediate;

    [FieldOffset(16)]
    private readonly ulong _low;

    [FieldOffset(16)]
    private readonly int _displacement;

    [FieldOffset(20)]
    private readonly byte _length;

    [FieldOffset(21)]
    private readonly byte _opcode;

    [FieldOffset(22)]
    private readonly byte _reg;

    [FieldOffset(23)]
    private readonly byte _rm;

    [FieldOffset(24)]
    private readonly ulong _high;

    [FieldOffset(24)]
    private readonly byte _index;

    [FieldOffset(25)]
    private readonly byte _scale;

    [FieldOffset(26)]
    private readonly byte _segment;

    [FieldOffset(27)]
    private readonly byte _vvvv;

    [FieldOffset(28)]
    private readonly Prefixes _prefixes;

    [FieldOffset(30)]
    private readonly byte _sizes;

    [FieldOffset(31)]
    private readonly byte _map;

    internal Instruction(ulong cell, ulong immediate, ulong low, ulong high)
    {
        _cell = cell;
        _immediate = immediate;
        _low = low;
        _high = high;
    }

    /// <summary>Bytes that the instruction occupies, prefixes included: 1 to 15, or 0 for the default value.</summary>
    public int Length => _length;

    /// <summary>The manual's mnemonic, of the family where sizes or conditions share one (Movs, Jcc). For diagnostics: it allocates.</summary>
    public string Mnemonic => _operation.ToString();

    /// <summary>The number of the mnemonic, 0 to <see cref="Mnemonics"/> - 1: a key for counters. It may differ between versions.</summary>
    public int MnemonicNumber => (int)_operation;

    /// <summary>How many mnemonics there are.</summary>
    public static int Mnemonics { get; } = Enum.GetValues<Operation>().Length;

    /// <summary>The mnemonic with a number.</summary>
    /// <param name="number">0 to <see cref="Mnemonics"/> - 1.</param>
    /// <returns>The mnemonic.</returns>
    public static string MnemonicOf(int number) => ((Operation)number).ToString();

    /// <summary>Whether an operand named by ModRM is in memory. Operands that the opcode implies (strings, the stack) do not count.</summary>
    public bool HasMemoryOperand => (_prefixes & Prefixes.Memory) != 0;

    /// <summary>The general operand size in bytes: 1, 2, 4 or 8. Meaningless where the operation has none or a vector's.</summary>
    public int OperandSize => 1 << SizeLog2;

    /// <summary>The address size in bytes: 2, 4 or 8.</summary>
    public int AddressSize => 1 << AddressSizeLog2;

    /// <summary>What it works on beyond general, segment and control registers and memory.</summary>
    public StateNeeds Needs => OperationNeeds.Of(in this);

    /// <summary>Which of the instructions it is that a hypervisor may treat by itself.</summary>
    public SpecialInstruction Special => _operation switch
    {
        Operation.Pause => SpecialInstruction.Pause,
        Operation.Int3 => SpecialInstruction.Breakpoint,
        Operation.Vmcall or Operation.Vmmcall => SpecialInstruction.Hypercall,
        _ => SpecialInstruction.None,
    };

    /// <summary>Whether it is INT3, with which debuggers mark breakpoints.</summary>
    public bool IsBreakpoint => _operation == Operation.Int3;

    internal Operation Operation => _operation;

    internal Pattern Pattern => (Pattern)(_cell & OpcodeCell.PatternMask);

    /// <summary>The last opcode byte; conditions and the registers of one-byte forms are in its low bits.</summary>
    internal int Opcode => _opcode;

    /// <summary>0 one-byte, 1 0F, 2 0F 38, 3 0F 3A.</summary>
    internal int Map => _map & 7;

    internal ulong Immediate => _immediate;

    internal int Displacement => _displacement;

    /// <summary>ModRM.reg with its extension.</summary>
    internal int Reg => _reg;

    /// <summary>The register in ModRM.rm or the opcode with its extension, if there is no memory operand.</summary>
    internal int Rm => _rm;

    /// <summary>The memory operand's base register, <see cref="NoRegister"/> or <see cref="RipRegister"/>.</summary>
    internal int Base => _rm;

    internal int Index => _index;

    /// <summary>The power of two that scales the index.</summary>
    internal int Scale => _scale;

    /// <summary>The effective segment of the memory operand, in the order ES, CS, SS, DS, FS, GS.</summary>
    internal int Segment => _segment;

    /// <summary>VEX.vvvv, not inverted.</summary>
    internal int Vvvv => _vvvv;

    internal Prefixes Prefixes => _prefixes;

    internal int SizeLog2 => _sizes & 3;

    /// <summary>The mode that the instruction was decoded in.</summary>
    internal CodeSize CodeSize => (CodeSize)(_sizes >> 4);

    internal int AddressSizeLog2 => _sizes >> 2 & 3;

    /// <summary>VEX.L: whether the vectors have 256 bits.</summary>
    internal bool Is256 => (_prefixes & Prefixes.L) != 0;

    internal bool IsVex => (_prefixes & Prefixes.Vex) != 0;

    internal bool HasLock => (_prefixes & Prefixes.Lock) != 0;

    internal bool IsWide => (_prefixes & Prefixes.W) != 0;

    /// <summary>Whether byte registers 4 to 7 are SPL to DIL, not AH to BH.</summary>
    internal bool HasRex => (_prefixes & Prefixes.Rex) != 0;
}
