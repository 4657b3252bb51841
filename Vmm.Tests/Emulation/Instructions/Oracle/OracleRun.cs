// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Runtime.Intrinsics.X86;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Execution;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;
using Operation = Vmm.Emulation.Instructions.Decoding.Operation;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Executes scenarios on both sides and counts.</summary>
internal sealed partial class OracleRun : IDisposable
{
    /// <summary>A repeated instruction takes a step for each page; whatever takes more goes round in circles.</summary>
    private const int MostSteps = 600;

    private readonly OracleMode _mode;
    private readonly bool _translates;
    private readonly OracleGuest _guest = new();
    private readonly CpuState _state = HostCpu.CreateState();
    private readonly byte[] _initial;
    private readonly byte[] _drawn;
    private readonly byte[] _memory;
    private readonly byte[] _before = new byte[832];
    private readonly Devices _devices = new();
    private ulong _operandAddress;

    /// <param name="mode">The state of the CPU.</param>
    /// <param name="translates">Whether ours is the translation of the instruction's block.</param>
    internal OracleRun(OracleMode mode, bool translates = false)
    {
        _mode = mode;
        _translates = translates;
        _initial = OracleLayout.CreateMemory(mode);
        _drawn = (byte[])_initial.Clone();
        _memory = (byte[])_initial.Clone();
    }

    /// <summary>Scenarios that both sides executed.</summary>
    internal int Compared { get; private set; }

    /// <summary>Those of <see cref="Compared"/> that ended in an exception's handler.</summary>
    internal int Faulted { get; private set; }

    /// <summary>Scenarios that KVM gave up on.</summary>
    internal int NotExecuted { get; private set; }

    /// <summary>Scenarios that ended otherwise for a known reason.</summary>
    internal SortedDictionary<string, int> Explained { get; } = [];

    /// <summary>Scenarios that never come to the port, or access what is not memory.</summary>
    internal int Endless { get; private set; }

    internal List<string> Differences { get; } = [];

    public void Dispose() => _guest.Dispose();

    /// <summary>Draws one scenario of a form, runs and compares it; false when it was not compared.</summary>
    internal bool Compare(InstructionForm form, int seed)
    {
        Random random = new(seed);
        _initial.CopyTo(_drawn, 0);
        Iced.Intel.Instruction drawn = OracleScenario.Draw(random, form, _mode, _drawn, _state);
        _state.Xcr0 = _guest.Xcr0;
        ulong rip = _state.Rip;
        ulong rcx = _state.General[1];
        GeneralRegisters registers = _state.General;
        ulong flags = _state.Rflags;
        Decoder.Decode(_drawn.AsSpan((int)rip, Decoder.MaximumLength), form.CodeSize, out Instruction instruction);
        if (instruction.Operation is >= Operation.Xsave and <= Operation.Xrstors && (_state.General[0] & 0x218) != 0)
        {
            // MPX has reserved bytes that the processor leaves alone; PKRU may be the host's.
            return false;
        }

        _state.Extended.Image[.._before.Length].CopyTo(_before);
        _operandAddress = OperandAddress(form.CodeSize, rip);
        _drawn.CopyTo(_memory, 0);

        // KVM goes first, from a copy: the executor changes the state.
        _drawn.CopyTo(_guest.Memory);
        CpuStateCopy before = new(_state);
        OracleExit ours = Execute(out long executed);
        if (ours == OracleExit.Other || _devices.HasBeenTouched)
        {
            Endless++;
            return false;
        }

        if (_translates)
        {
            before.Restore(_state);
            _drawn.CopyTo(_memory, 0);
            ours = ExecuteTranslated(executed);
            IsTranslated = HasTranslation(rip);
        }

        CpuStateCopy after = new(_state);
        before.Restore(_state);
        OracleExit theirs = _guest.Run(_state);
        after.Restore(_state);
        bool leaves = theirs == OracleExit.Other && _mode != OracleMode.User64;
        if (theirs == OracleExit.NotExecuted || leaves || ours == OracleExit.NotExecuted && _mode != OracleMode.User64)
        {
            // Code that goes astray at CPL 0 comes to other ports and to addresses without memory.
            NotExecuted++;
            return false;
        }

        OracleDifference? difference = theirs != ours ? new(OracleAspect.Exit, $"ended with {theirs} {_guest.Failure}, ours with {ours}")
            : ours == OracleExit.Shutdown ? null
            : OracleComparison.Difference(_guest, _state, _memory, in instruction, rcx, _operandAddress);
        if (difference is { } found)
        {
            OracleEnd end = new(instruction, _drawn.AsMemory((int)rip, drawn.Length), _mode, found.Aspect)
            {
                Start = rip,
                Flags = flags,
                Registers = registers,
                StackAfter = _state.General[4],
                OperandAddress = _operandAddress,
                RefusedControls = _guest.RefusedControls,
                Ours = OracleEnd.Vector(_state.Rip),
                Theirs = OracleEnd.Vector(_guest.Registers.Rip),
            };
            if ((OtherEnd(before, after, in end, rcx) ?? KvmDifferences.Reason(in end, _guest.InterpretsFaults)) is { } reason)
            {
                Explained[reason] = Explained.GetValueOrDefault(reason) + 1;
                return false;
            }

            string detail = VectorOracleTests.IsX87(instruction.Operation) ? StackText()
                : found.Aspect == OracleAspect.Vectors ? OperandText(in instruction) : "";
            Differences.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{form.Name} seed {seed}: {_mode} {Convert.ToHexString(end.Bytes.Span)} {drawn} at {rip:X} flags {flags:X} rcx {rcx:X} rsp {registers[4]:X} operand at {_operandAddress:X}: "
                + $"{found.Text}{detail} (ended at {_guest.Registers.Rip:X}, CR2 {_guest.SystemRegisters.Cr2:X}, ours {_state.Rip:X}, {_state.Cr2:X})"));
        }

        Compared++;
        Faulted += OracleEnd.Vector(_state.Rip) >= 0 ? 1 : 0;
        return true;
    }

    /// <summary>Why the other side's end is as good as the executor's, or null if it is none that the executor can be led to.</summary>
    private string? OtherEnd(CpuStateCopy before, CpuStateCopy after, in OracleEnd end, ulong rcx)
    {
        OracleEnd copy = end;
        Instruction instruction = end.Instruction;
        OracleAlternative[] others = _guest.InterpretsFaults && _mode != OracleMode.User64 ? OracleAlternative.OfInterpreter : OracleAlternative.OfProcessors;
        foreach (OracleAlternative other in others.Where(other => other.Applies(copy)))
        {
            before.Restore(_state);
            _drawn.CopyTo(_memory, 0);
            FlatCpu cpu = new(_state, _memory, _devices);
            bool isFlat = _guest.InterpretsFaults && _mode == OracleMode.Protected16;
            if (!other.Execute(ref cpu, _memory, in end) || Execute(out _, isFlat) != OracleExit.Port)
            {
                continue;
            }

            ulong frame = _state.General[OracleEnd.StackPointer] + (isFlat ? 0 : _state.Segments[(int)SegmentName.Ss].Base);
            if (!_devices.HasBeenTouched
                && OracleComparison.Difference(_guest, _state, _memory, in instruction, rcx, _operandAddress, frame, other.UndefinedFlags) is null)
            {
                return other.Reason;
            }
        }

        after.Restore(_state);
        return null;
    }

    /// <summary>The vector registers that ModRM and VEX name before the instruction and after it, and the start of a memory operand.</summary>
    private string OperandText(in Instruction i)
    {
        System.Text.StringBuilder text = new();
        foreach (int register in (ReadOnlySpan<int>)[i.Reg, i.Vvvv, i.HasMemoryOperand ? i.Reg : i.Rm])
        {
            text.Append(CultureInfo.InvariantCulture, $"; {register}: {Hex(_before, register)} to {Hex(_guest.Extended, register)}, ours {Hex(_state.Extended.Image, register)}");
        }

        ulong target = _operandAddress;
        return target is >= OracleLayout.Data and < OracleLayout.DataEnd - 32
            ? text.Append(CultureInfo.InvariantCulture, $"; memory {Convert.ToHexString(_drawn.AsSpan((int)target, 32))}").ToString() : text.ToString();

        static string Hex(ReadOnlySpan<byte> area, int register)
            => Convert.ToHexString(area.Slice(160 + (register & 15) * 16, 16)) + "." + Convert.ToHexString(area.Slice(576 + (register & 15) * 16, 16));
    }

    /// <summary>The x87's control, status and tag words, its first registers, and a memory operand.</summary>
    private string StackText()
    {
        int memory = _operandAddress is >= OracleLayout.Data and < OracleLayout.DataEnd - 32 ? (int)_operandAddress : OracleLayout.Data;
        return $"; {Text(_before)} to {Text(_guest.Extended)}, ours {Text(_state.Extended.Image)}; memory {Convert.ToHexString(_drawn.AsSpan(memory, 10))}";

        static string Text(ReadOnlySpan<byte> area) => $"{BitConverter.ToUInt16(area):X4} {BitConverter.ToUInt16(area[2..]):X4} {area[4]:X2} "
            + $"{ExtendedComparison.Hex(area[32..])} {ExtendedComparison.Hex(area[48..])}";
    }

    private ulong Value(Iced.Intel.Register register) => Iced.Intel.RegisterExtensions.IsSegmentRegister(register)
        ? _state.Segments[Iced.Intel.RegisterExtensions.GetNumber(register)].Base
        : Iced.Intel.RegisterExtensions.IsVectorRegister(register) ? 0
        : Iced.Intel.RegisterExtensions.GetSize(register) == 4 ? (uint)_state.General[Iced.Intel.RegisterExtensions.GetNumber(register)]
        : _state.General[Iced.Intel.RegisterExtensions.GetNumber(register)];

    private ulong OperandAddress(Vmm.Emulation.Instructions.Decoding.CodeSize codeSize, ulong rip)
    {
        Iced.Intel.ByteArrayCodeReader bytes = new(_drawn, (int)rip, Decoder.MaximumLength);
        Iced.Intel.Instruction instruction = Iced.Intel.Decoder.Create(16 << (int)codeSize, bytes, rip).Decode();
        int operand = 0;
        while (operand < instruction.OpCount && instruction.GetOpKind(operand) != Iced.Intel.OpKind.Memory)
        {
            operand++;
        }

        return operand < instruction.OpCount ? instruction.GetVirtualAddress(operand, 0, (register, _, _) => Value(register)) : 0;
    }

    /// <param name="executed">How many instructions completed.</param>
    /// <param name="flatStack">Whether exceptions are delivered as if the stack's segment were flat.</param>
    private OracleExit Execute(out long executed, bool flatStack = false)
    {
        executed = 0;
        FlatCpu cpu = new(_state, _memory, _devices);
        _devices.IsDone = false;
        _devices.HasBeenTouched = false;
        for (int step = 0; step < MostSteps; step++)
        {
            ExecutionResult result = Executor.Run(ref cpu, 1, deliver: !flatStack, out long some);
            executed += some;
            if (flatStack && result.Status == ExecutionStatus.Fault)
            {
                result = OracleAlternative.RaiseOnFlatStack(ref cpu, in result);
            }

            switch (result.Status)
            {
                case ExecutionStatus.Halted:
                    return OracleExit.Halted;
                case ExecutionStatus.Shutdown:
                    return OracleExit.Shutdown;
                case ExecutionStatus.Completed when _devices.IsDone:
                    return OracleExit.Port;
                case ExecutionStatus.Completed:
                    break;
                default:
                    return OracleExit.NotExecuted;
            }
        }

        return OracleExit.Other;
    }

    /// <summary>The port that ends a scenario, and the processor's own XSAVE layout.</summary>
    private sealed class Devices : FlatDevices
    {
        internal bool IsDone { get; set; }

        internal bool HasBeenTouched { get; set; }

        public override BusOutcome ReadMemory(ulong physicalAddress, Span<byte> data)
        {
            HasBeenTouched = true;
            return base.ReadMemory(physicalAddress, data);
        }

        public override BusOutcome WriteMemory(ulong physicalAddress, ReadOnlySpan<byte> data)
        {
            HasBeenTouched = true;
            return base.WriteMemory(physicalAddress, data);
        }

        public override BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data)
        {
            IsDone |= port == OracleLayout.Port && data.Length == 1;
            return BusOutcome.Done;
        }

        public override CpuidResult Cpuid(uint leaf, uint subleaf)
        {
            (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)leaf, (int)subleaf);
            return new((uint)eax, (uint)ebx, (uint)ecx, (uint)edx);
        }
    }
}
