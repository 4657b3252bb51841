// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Oracle;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>One random instruction and state, and its execution by the executor and by the processor.</summary>
internal sealed class OracleCase
{
    private const int Rsp = 4;
    private readonly byte[] _code;
    private readonly byte[] _window = new byte[NativeCpu.DataSize];
    private readonly byte[] _extended = new byte[NativeCpu.ExtendedSize];
    private readonly ulong[] _registers = new ulong[16];
    private readonly ulong _flags;
    private readonly ulong _address;

    internal OracleCase(Random random, string opcode, ulong address)
    {
        _address = address;
        random.NextBytes(_window);
        OracleState.Randomize(random, _registers, _extended);
        _flags = OracleState.RandomFlags(random);
        bool isString = opcode[0] == 's';
        _code = Encode(random, opcode.TrimStart('s'), isString);
        if (isString)
        {
            bool down = random.Next(3) == 0;
            _flags |= down ? 0x400u : 0;
            _registers[6] = address + 1024 + (ulong)random.Next(512);
            _registers[7] = address + 1024 + (ulong)random.Next(512);
            _registers[1] = (ulong)random.Next(40);
            if (random.Next(2) == 0)
            {
                // Runs of equal bytes let the comparing ones go on.
                _window.AsSpan(512, 2048).Fill((byte)_registers[0]);
            }
        }

        if (opcode == "D7")
        {
            _registers[3] = address + 1024;
        }

        if (Decoder.Decode(_code, CodeSize.Bits64, out Instruction instruction) == DecodeStatus.Decoded
            && instruction.Operation is Operation.F2xm1 or Operation.Fyl2xp1)
        {
            OracleFloats.DrawSmall(random, _extended);
        }
    }

    /// <summary>Executes on both sides; false if the instruction is not fit for the stub or does not complete.</summary>
    internal bool TryCompare(NativeCpu native, out string? difference)
    {
        difference = null;
        if (Decoder.Decode(_code, CodeSize.Bits64, out Instruction instruction) != DecodeStatus.Decoded || UsesStackPointer(in instruction))
        {
            return false;
        }

        CpuState state = NewState();
        byte[] window = (byte[])_window.Clone();
        WindowCpu cpu = new(state, window, _address);
        ulong count = UndefinedFlags.ShiftCount(in instruction, _registers[1]);
        ExecutionResult result = Executor.Execute(ref cpu, in instruction);
        if (result.Status is ExecutionStatus.NotExecutable)
        {
            // The x87 opcodes have arithmetic beside the control forms.
            difference = $"{Convert.ToHexString(_code)} {instruction.Mnemonic}: not executable";
            return instruction.Pattern != Pattern.St;
        }

        if (result.Status != ExecutionStatus.Completed)
        {
            return false;
        }

        _window.CopyTo(native.Memory);
        _registers.CopyTo(native.Registers);
        _extended.CopyTo(native.ExtendedInput);
        native.Flags = _flags;
        native.Execute(_code.AsSpan(0, instruction.Length));
        difference = Difference(native, state, window, in instruction, count);
        return true;
    }

    private string? Difference(NativeCpu native, CpuState state, byte[] window, in Instruction instruction, ulong count)
    {
        string about = $"{Convert.ToHexString(_code.AsSpan(0, instruction.Length))} {instruction.Mnemonic} count {count} flags {_flags:X}: ";
        bool undefinedResult = UndefinedFlags.HasUndefinedResult(in instruction, count);
        for (int register = 0; register < 16; register++)
        {
            if (register != Rsp && native.Registers[register] != state.General[register] && !undefinedResult)
            {
                return $"{about}register {register} was {_registers[register]:X} is {native.Registers[register]:X}, ours {state.General[register]:X}";
            }
        }

        ulong defined = NativeOracleTests.DefinedFlags(in instruction, count) | 0x400;
        if (((native.Flags ^ state.Rflags) & defined) != 0)
        {
            return $"{about}flags {native.Flags & defined:X}, ours {state.Rflags & defined:X}";
        }

        if (!undefinedResult && !native.Memory.SequenceEqual(window))
        {
            int at = native.Memory.CommonPrefixLength(window);
            return $"{about}memory at {at:X} is {native.Memory[at]:X2}, ours {window[at]:X2}";
        }

        return ExtendedComparison.Difference(native.ExtendedOutput, state.Extended.Image, ulps: OracleComparison.Ulps(instruction.Operation)) is { } vector ? about + vector : null;
    }

    private CpuState NewState()
    {
        CpuState state = HostCpu.CreateState();
        state.Rip = 0x1000;
        state.Rflags = _flags;
        state.Cr0 = 0x33;
        state.Cr4 = 0x5_0620;
        state.Efer = 0x500;
        state.Xcr0 = 7;
        for (int register = 0; register < 16; register++)
        {
            state.General[register] = _registers[register];
        }

        state.Segments[(int)SegmentName.Cs] = new() { Access = 0xA0FB, Limit = uint.MaxValue, Selector = 0x33 };
        state.Segments[(int)SegmentName.Ss] = new() { Access = 0xC0F3, Limit = uint.MaxValue, Selector = 0x2B };
        _extended.CopyTo(state.Extended.Image);
        return state;
    }

    private static bool UsesStackPointer(in Instruction i)
    {
        bool byteHigh = i.OperandSize == 1 && !i.HasRex && i.Operation is not (Operation.Movzx or Operation.Movsx);
        bool vector = i.Pattern >= Pattern.VW;
        return !vector && !byteHigh && (i.Rm == Rsp || i.Reg == Rsp || i.IsVex && i.Vvvv == Rsp)
            || vector && (i.Rm == Rsp || i.Reg == Rsp && i.Pattern is Pattern.GW or Pattern.GQ)
            || i.HasMemoryOperand && (i.Base is Rsp or Instruction.RipRegister || i.Index == Rsp)
            || byteHigh && i.HasMemoryOperand && i.Base == Rsp || i.Segment > 3;
    }

    /// <summary>Prefixes, opcode, ModRM with a memory operand inside the window or registers, and random bytes behind.</summary>
    private byte[] Encode(Random random, string opcode, bool isString)
    {
        bool vex = opcode[0] == 'v';
        string[] parts = opcode.TrimStart('v').Split('/');
        byte[] bytes = Convert.FromHexString(parts[0]);
        int digit = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : random.Next(8);
        List<byte> code = [];
        int at = 0;
        byte mandatory = 0;
        if (bytes[0] is 0x66 or 0xF2 or 0xF3)
        {
            mandatory = bytes[at++];
        }

        bool rexB = random.Next(3) == 0;
        bool rexR = random.Next(3) == 0;
        bool wide = random.Next(2) == 0;
        if (vex)
        {
            at++;
            int map = bytes[at] switch
            {
                0x38 => 2,
                0x3A => 3,
                _ => 1,
            };
            at += map > 1 ? 1 : 0;
            int pp = mandatory switch
            {
                0x66 => 1,
                0xF3 => 2,
                0xF2 => 3,
                _ => 0,
            };
            int vvvv = random.Next(2) == 0 ? 15 : random.Next(16);
            bool is256 = random.Next(2) == 0;
            code.AddRange([0xC4, (byte)(0x40 | (rexR ? 0 : 0x80) | (rexB ? 0 : 0x20) | map), (byte)((wide ? 0x80 : 0) | vvvv << 3 | (is256 ? 4 : 0) | pp)]);
        }
        else
        {
            if (isString && random.Next(3) > 0)
            {
                code.Add((byte)(0xF2 + random.Next(2)));
            }

            if (mandatory != 0x66 && random.Next(4) == 0)
            {
                code.Add(0x66);
            }

            if (mandatory != 0)
            {
                code.Add(mandatory);
            }

            if (random.Next(2) == 0)
            {
                code.Add((byte)(0x40 | (wide ? 8 : 0) | (rexR ? 4 : 0) | (rexB ? 1 : 0)));
            }
            else
            {
                rexB = false;
            }
        }

        code.AddRange(bytes.AsSpan(at).ToArray());
        bool complete = parts[0] is "DBE3" or "DBE2" or "DFE0";
        int rm = random.Next(8);
        if (!complete && random.Next(2) == 0 && rm is not (4 or 5))
        {
            // [register + disp8], aligned often enough for the aligned moves.
            int register = rm | (rexB ? 8 : 0);
            int displacement = random.Next(-8, 8) * 16;
            _registers[register] = _address + 2048 + (ulong)(random.Next(3) == 0 ? random.Next(64) : random.Next(4) * 32);
            code.AddRange([(byte)(0x40 | digit << 3 | rm), (byte)displacement]);
        }
        else if (!complete)
        {
            code.Add((byte)(0xC0 | digit << 3 | rm));
        }

        byte[] window = new byte[Decoder.MaximumLength];
        random.NextBytes(window);
        code.CopyTo(window);
        return window;
    }
}
