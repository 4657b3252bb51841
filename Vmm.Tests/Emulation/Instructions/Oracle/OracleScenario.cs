// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Iced.Intel;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Vectors;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// One instruction with its state and memory. Addresses mostly lead to the data pages, and sometimes to their end, to a page that
/// is missing or protected, or out of the canonical range.
/// </summary>
internal sealed class OracleScenario
{
    private const int DataLength = OracleLayout.DataEnd - OracleLayout.Data;
    private readonly Random _random;
    private readonly OracleMode _mode;
    private readonly byte[] _window = new byte[15];
    private readonly byte[] _memory;
    private readonly ulong[] _registers = new ulong[16];
    private readonly byte[] _extended = new byte[832];
    private ulong _flags;

    private OracleScenario(Random random, OracleMode mode, byte[] memory)
    {
        _random = random;
        _mode = mode;
        _memory = memory;
    }

    /// <summary>Draws a scenario: memory and state are set up for the executor.</summary>
    /// <param name="random">The source of everything.</param>
    /// <param name="form">The form.</param>
    /// <param name="mode">The state of the CPU.</param>
    /// <param name="memory">Memory that <see cref="OracleLayout"/> made, to be changed.</param>
    /// <param name="state">The state to be set.</param>
    /// <returns>The instruction.</returns>
    internal static Iced.Intel.Instruction Draw(Random random, InstructionForm form, OracleMode mode, byte[] memory, CpuState state)
    {
        OracleScenario scenario = new(random, mode, memory);
        return scenario.Draw(form, state);
    }

    private Iced.Intel.Instruction Draw(InstructionForm form, CpuState state)
    {
        OracleState.Randomize(_random, _registers, _extended);
        _flags = OracleState.RandomFlags(_random);
        if (_random.Next(4) == 0)
        {
            _flags |= (ulong)_random.Next() & (0x400 | 0x4_0000 | 0x20_0000);
        }

        if (_random.Next(32) == 0)
        {
            _flags |= 0x100;
        }

        OracleLayout.Enter(state, _mode);
        _random.NextBytes(_memory.AsSpan(OracleLayout.Data, DataLength));
        _memory.AsSpan(OracleLayout.Code, OracleLayout.CodeEnd - OracleLayout.Code).Fill(OracleLayout.Port);
        ulong rip = _random.Next(10) switch
        {
            0 => 0xBFF0u + (uint)_random.Next(16),
            1 when _mode.Is64() && _random.Next(4) == 0 => 0xCFF0u + (uint)_random.Next(16),
            _ => 0xB000u + (uint)_random.Next(0xF00),
        };
        Iced.Intel.Instruction instruction = FormEncoder.Draw(_random, form, _window, rip, out ConstantOffsets constants);
        if (_mode.Is64())
        {
            // The hidden base of FS and GS does what it says even though the register is unusable.
            state.Segments[(int)SegmentName.Fs].Base = (ulong)_random.Next(0x40);
            state.Segments[(int)SegmentName.Gs].Base = (ulong)_random.Next(0x4000) * 64;
        }

        SetStack(in instruction, state);
        SetStrings(in instruction, state);
        SetMemoryOperand(in instruction, in constants, state, rip);
        SetBranch(in instruction, in constants, state, rip);
        SetSpecial(in instruction, state);
        SetVectors(form, in instruction, state);
        int room = (int)Math.Min(15, OracleLayout.CodeEnd - (long)rip);
        _window.AsSpan(0, Math.Min(instruction.Length, room)).CopyTo(_memory.AsSpan((int)rip));
        state.Rip = rip;
        state.Rflags = _flags;
        for (int register = 0; register < 16; register++)
        {
            state.General[register] = _mode.Is64() ? _registers[register] : (uint)_registers[register];
        }

        _extended.CopyTo(state.Extended.Image);
        state.FlushTranslations();
        return instruction;
    }

    /// <summary>A linear address that an access of some size may use.</summary>
    private ulong Target(int size)
    {
        size = Math.Clamp(size, 1, DataLength / 2);
        return _random.Next(40) switch
        {
            0 => (ulong)(OracleLayout.DataEnd - _random.Next(1, size + 1)),
            1 => OracleLayout.ReadOnlyPage + (ulong)_random.Next(0x800) * 2,
            2 => OracleLayout.KernelPage + (ulong)_random.Next(0x80) * 16,
            3 => (ulong)(OracleLayout.Data + 0x1000 - _random.Next(0, size + 1)),
            4 when _mode.Is64() => 0x0000_8000_0000_0000 - (ulong)(_random.Next(2) * (size + _random.Next(64))),
            5 => OracleLayout.DataEnd + (ulong)_random.Next(0x1000),
            < 16 => (ulong)(OracleLayout.Data + _random.Next(DataLength - size)),
            _ => (ulong)(OracleLayout.Data + (_random.Next(DataLength - size) & ~63) + _random.Next(4) / 3 * 16),
        };
    }

    private ulong Offset(CpuState state, SegmentName segment, ulong linear)
    {
        ulong offset = linear - state.Segments[(int)segment].Base;
        return _mode.Is64() ? offset : (uint)offset;
    }

    private void SetStack(in Iced.Intel.Instruction instruction, CpuState state)
    {
        bool uses = instruction.IsStackInstruction || instruction.Mnemonic is Mnemonic.Leave or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq;
        if (!uses && _random.Next(4) == 0 && _mode == OracleMode.User64)
        {
            // Canonical: a host that runs user mode only would interpret the instruction.
            _registers[4] = (ulong)((long)(_registers[4] << 17) >> 17);
            return;
        }

        ulong linear = (ulong)(OracleLayout.Data + 0x400 + (_random.Next(0x1800) & ~7) + _random.Next(8) / 7 * _random.Next(8));
        bool isFlags = instruction.Mnemonic is Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq;
        if (uses && _random.Next(12) == 0)
        {
            linear = Target(8);
            isFlags &= linear < OracleLayout.Size - 1;
        }

        _registers[4] = Offset(state, SegmentName.Ss, linear);
        if (instruction.Mnemonic is Mnemonic.Leave or Mnemonic.Enter)
        {
            _registers[5] = _random.Next(8) == 0 ? _registers[5] : Offset(state, SegmentName.Ss, Target(8));
        }

        // Without TF, which would trap behind the OUT.
        int flags = (int)linear + 1 + instruction.Mnemonic switch
        {
            Mnemonic.Iret => 2 * sizeof(ushort),
            Mnemonic.Iretd => 2 * sizeof(uint),
            Mnemonic.Iretq => 2 * sizeof(ulong),
            _ => 0,
        };
        if (isFlags && flags < _memory.Length)
        {
            _memory[flags] &= 0xFE;
        }

        if (linear is < OracleLayout.Data or >= OracleLayout.DataEnd - 16)
        {
            return;
        }

        if (instruction.Mnemonic is Mnemonic.Ret && _random.Next(8) > 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_memory.AsSpan((int)linear), CodeTarget());
        }
    }

    private ulong CodeTarget() => OracleLayout.Code + (ulong)_random.Next(OracleLayout.CodeEnd - OracleLayout.Code - 2);

    private void SetStrings(in Iced.Intel.Instruction instruction, CpuState state)
    {
        if (!instruction.IsStringInstruction)
        {
            return;
        }

        _registers[1] = (ulong)_random.Next(40);
        _registers[6] = Offset(state, SegmentName.Ds, Target(64));
        _registers[7] = Offset(state, SegmentName.Es, Target(64));
        _flags = _flags & ~0x400UL | (ulong)_random.Next(2) << 10;
        if (_random.Next(2) == 0)
        {
            // Runs of equal bytes let the comparing ones go on.
            _memory.AsSpan(OracleLayout.Data + 256, 0x1800).Fill((byte)_registers[0]);
        }
    }

    /// <summary>Puts the memory operand somewhere by the value of its base, or else by its displacement.</summary>
    private void SetMemoryOperand(in Iced.Intel.Instruction instruction, in ConstantOffsets constants, CpuState state, ulong rip)
    {
        int operand = 0;
        if (instruction.MemoryIndex.IsXMM() || instruction.MemoryIndex.IsYMM())
        {
            return;
        }

        while (operand < instruction.OpCount && instruction.GetOpKind(operand) != OpKind.Memory)
        {
            operand++;
        }

        if (operand >= instruction.OpCount)
        {
            return;
        }

        int size = Math.Max(1, instruction.MemorySize.GetSize());
        bool isArea = instruction.Mnemonic is >= Mnemonic.Xsave and <= Mnemonic.Xsaves64 or Mnemonic.Xrstor or Mnemonic.Xrstor64
            or Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Fxrstor or Mnemonic.Fxrstor64;
        ulong linear = Target(isArea ? 0xB00 : size);
        if (isArea)
        {
            // Within a page: which page of several faults first is not defined.
            linear = linear & ~0xFFFUL | linear & 0x4C0;
            PrepareArea(linear);

            // Without MPX, of whose component the processor leaves reserved bytes alone, and PKRU, which may be the host's.
            _registers[0] &= ~0x218UL;
        }

        ulong offset = Offset(state, (SegmentName)instruction.MemorySegment.GetNumber(), linear);
        ulong displacement = instruction.MemoryDisplacement64;
        if (instruction.MemoryBase is Register.None or Register.RIP or Register.EIP)
        {
            if (instruction.MemoryIndex != Register.None)
            {
                _registers[instruction.MemoryIndex.GetNumber()] = (offset - displacement) / (ulong)instruction.MemoryIndexScale;
            }
            else if (constants.HasDisplacement)
            {
                ulong value = instruction.MemoryBase == Register.None ? offset : offset - (rip + (ulong)instruction.Length);
                Patch(constants.DisplacementOffset, constants.DisplacementSize, value);
            }

            return;
        }

        ulong rest = displacement;
        if (instruction.MemoryIndex != Register.None && instruction.MemoryIndex != instruction.MemoryBase)
        {
            rest += _registers[instruction.MemoryIndex.GetNumber()] * (ulong)instruction.MemoryIndexScale;
        }

        if (instruction.MemoryBase.GetSize() < 8)
        {
            ulong mask = instruction.MemoryBase.GetSize() == 2 ? 0xFFFFu : 0xFFFF_FFFFu;
            ref ulong register = ref _registers[instruction.MemoryBase.GetNumber()];
            register = register & ~mask | offset - rest & mask;
        }
        else
        {
            _registers[instruction.MemoryBase.GetNumber()] = offset - rest;
        }

        bool isBitTest = instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc;
        if (isBitTest && instruction.Op1Kind == OpKind.Register && _random.Next(4) > 0 && instruction.Op1Register.GetFullRegister() != instruction.MemoryBase.GetFullRegister())
        {
            _registers[instruction.Op1Register.GetNumber()] = (ulong)_random.Next(-0x800, 0x800);
        }
    }

    /// <summary>An area that XRSTOR and FXRSTOR mostly take.</summary>
    private void PrepareArea(ulong linear)
    {
        if (linear is < OracleLayout.Data or > OracleLayout.DataEnd - 0x400 || _random.Next(6) == 0)
        {
            return;
        }

        Span<byte> area = _memory.AsSpan((int)linear);
        BinaryPrimitives.WriteUInt32LittleEndian(area[24..], 0x1F80 | (uint)_random.Next(64));
        area[512..576].Clear();
        area[512] = (byte)_random.Next(8);
        if (_random.Next(4) == 0)
        {
            area[520] = 7;
            area[527] = 0x80;
        }

        _registers[0] = _random.Next(3) == 0 ? 7 : (ulong)_random.Next(0x100);
        _registers[2] = 0;
    }

    private void Patch(int at, int size, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..size].CopyTo(_window.AsSpan(at));
    }

    private void SetBranch(in Iced.Intel.Instruction instruction, in ConstantOffsets constants, CpuState state, ulong rip)
    {
        if (_random.Next(16) == 0)
        {
            return;
        }

        switch (instruction.FlowControl)
        {
            case FlowControl.UnconditionalBranch or FlowControl.ConditionalBranch or FlowControl.Call when constants.HasImmediate && constants.ImmediateSize > 1:
                Patch(constants.ImmediateOffset, constants.ImmediateSize, CodeTarget() - (rip + (ulong)instruction.Length));
                break;
            case FlowControl.IndirectBranch or FlowControl.IndirectCall when instruction.Op0Kind == OpKind.Register:
                _registers[instruction.Op0Register.GetNumber()] = CodeTarget();
                break;
            case FlowControl.IndirectBranch or FlowControl.IndirectCall when instruction.MemoryBase is not (Register.None or Register.RIP or Register.EIP):
                WriteOperand(in instruction, state, BitConverter.GetBytes(CodeTarget()));
                break;
            default:
                break;
        }
    }

    /// <summary>Floating-point operands and modes, short texts, and addresses that registers imply.</summary>
    private void SetVectors(InstructionForm form, in Iced.Intel.Instruction instruction, CpuState state)
    {
        if (!VectorOracleTests.IsVector(form.Operation) && !VectorOracleTests.IsX87(form.Operation))
        {
            return;
        }

        OracleFloats.Draw(_random, _extended, _memory.AsSpan(OracleLayout.Data, DataLength));
        if (instruction.Mnemonic is Mnemonic.F2xm1 or Mnemonic.Fyl2xp1)
        {
            OracleFloats.DrawSmall(_random, _extended);
        }

        switch (VectorOperations.Of(form.Operation).Kind)
        {
            case VectorKind.StringCompare:
                SetTexts();
                break;
            case VectorKind.MaskMove:
                _registers[7] = Offset(state, (SegmentName)instruction.MemorySegment.GetNumber(), Target(16));
                break;
            case VectorKind.Gather:
                SetGather(in instruction);
                break;
            default:
                break;
        }
    }

    /// <summary>Few letters and many ends, so that texts meet.</summary>
    private void SetTexts()
    {
        foreach (ref byte letter in _extended.AsSpan(160, 256))
        {
            letter = (byte)(_random.Next(3) == 0 ? 0x7F + _random.Next(3) : _random.Next(4));
        }

        foreach (ref byte letter in _memory.AsSpan(OracleLayout.Data, DataLength))
        {
            letter = (byte)(_random.Next(3) == 0 ? 0x7F + _random.Next(3) : _random.Next(4));
        }

        if (_random.Next(3) > 0)
        {
            _registers[0] = (ulong)_random.Next(-20, 20);
            _registers[2] = (ulong)_random.Next(-20, 20);
        }
    }

    /// <summary>Small indexes to the data, of which some lead out of it.</summary>
    private void SetGather(in Iced.Intel.Instruction instruction)
    {
        int index = instruction.MemoryIndex.GetNumber();
        bool isWide = instruction.Mnemonic is Mnemonic.Vgatherqpd or Mnemonic.Vgatherqps or Mnemonic.Vpgatherqd or Mnemonic.Vpgatherqq;
        foreach (int at in (ReadOnlySpan<int>)[160 + index * 16, 576 + index * 16])
        {
            for (int n = 0; n < 16; n += isWide ? 8 : 4)
            {
                long value = _random.Next(24) == 0 ? _random.Next() : _random.Next(-100, 100);
                BitConverter.GetBytes(value).AsSpan(0, isWide ? 8 : 4).CopyTo(_extended.AsSpan(at + n));
            }
        }

        if (instruction.MemoryBase is not (Register.None or Register.RIP or Register.EIP))
        {
            ulong target = (ulong)(OracleLayout.Data + 0x800 + _random.Next(0x800)) - instruction.MemoryDisplacement64;
            ref ulong register = ref _registers[instruction.MemoryBase.GetNumber()];
            register = instruction.MemoryBase.GetSize() == 4 ? register & ~0xFFFF_FFFFUL | (uint)target : target;
        }
    }

    private ulong Value(Register register, CpuState state) => register.IsSegmentRegister()
        ? state.Segments[register.GetNumber()].Base
        : register.GetSize() switch
        {
            2 => (ushort)_registers[register.GetNumber()],
            4 => (uint)_registers[register.GetNumber()],
            _ => _registers[register.GetNumber()],
        };

    private void SetSpecial(in Iced.Intel.Instruction instruction, CpuState state)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Xlatb:
                _registers[3] = Offset(state, SegmentName.Ds, Target(256));
                break;
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne or Mnemonic.Jrcxz or Mnemonic.Jecxz or Mnemonic.Jcxz:
                _registers[1] = (ulong)_random.Next(3);
                break;
            case Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b or Mnemonic.Cmpxchg when _random.Next(2) == 0:
                MatchMemory(in instruction, state);
                break;
            case Mnemonic.Div or Mnemonic.Idiv when _random.Next(3) > 0:
                // Small dividends have a quotient.
                _registers[2] = (ulong)-_random.Next(2);
                break;
            case Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr when _random.Next(4) > 0:
                WriteOperand(in instruction, state, BitConverter.GetBytes(_random.Next(0x1_0000)));
                break;
            case Mnemonic.Wrfsbase or Mnemonic.Wrgsbase when _random.Next(3) > 0:
                _registers[instruction.Op0Register.GetNumber()] &= 0x7FFF_FFFF_FFFF;
                break;
            default:
                break;
        }
    }

    /// <summary>Makes the comparison of a compare-exchange succeed.</summary>
    private void MatchMemory(in Iced.Intel.Instruction instruction, CpuState state)
    {
        bool wide = instruction.Mnemonic == Mnemonic.Cmpxchg16b;
        int half = wide ? 8 : 4;
        Span<byte> value = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(value, _registers[0]);
        BinaryPrimitives.WriteUInt64LittleEndian(value[half..], _registers[2]);
        int length = instruction.Mnemonic == Mnemonic.Cmpxchg ? 8 : half * 2;
        WriteOperand(in instruction, state, value[..length]);
    }

    /// <summary>Sets what the memory operand holds, if it is in the data pages.</summary>
    private void WriteOperand(in Iced.Intel.Instruction instruction, CpuState state, ReadOnlySpan<byte> value)
    {
        if (instruction.Op0Kind == OpKind.Memory)
        {
            ulong address = instruction.GetVirtualAddress(0, 0, (register, _, _) => Value(register, state));
            if (address is >= OracleLayout.Data and < OracleLayout.DataEnd - 16)
            {
                value.CopyTo(_memory.AsSpan((int)address));
            }
        }
    }
}
