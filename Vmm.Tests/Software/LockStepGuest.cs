// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>
/// One of two guests in lock step, with devices that answer by what was asked before: two guests that do the same get the same answers.
/// </summary>
internal sealed class LockStepGuest : BackendGuest
{
    private const ulong InterruptFlag = 1 << 9;
    private const ushort SerialStatus = 0x3fd;
    private const ushort PowerPort = 0x604;

    private ulong _asked;

    public LockStepGuest(IHypervisorBackend backend)
        : base(backend)
    {
        Cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
    }

    /// <summary>The vector that ends a HLT with interrupts enabled; null where such a HLT ends the guest.</summary>
    public byte? WakeVector { get; init; }

    /// <summary>What was asked of devices, in order, a string's elements one by one.</summary>
    public List<string> Accesses { get; } = [];

    /// <summary>Whether the guest has come to its end.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>An exit that no guest here should come to, and that has ended it.</summary>
    public string? Unexpected { get; private set; }

    /// <summary>Whether the last step ended in HLT, and the guest waits for <see cref="Wake"/>.</summary>
    public bool IsHalted { get; private set; }

    /// <summary>The registers that are compared, and of RFLAGS what is.</summary>
    public GeneralRegisters Compared
    {
        get
        {
            // CF, PF, ZF, SF, IF, DF and OF; AF is left undefined by too many instructions.
            const ulong ComparedFlags = 0x0ec5 | InterruptFlag;
            GeneralRegisters registers = Cpu.GeneralRegisters;
            return registers with { Rflags = registers.Rflags & ComparedFlags };
        }
    }

    /// <summary>Executes an instruction, all elements of a repeated one included.</summary>
    public void Step()
    {
        ulong at = Cpu.GetRegister(RegisterName.Rip);
        bool repeats = IsRepeated(at);
        do
        {
            StepOnce();
        }
        while (repeats && !HasEnded && Cpu.GetRegister(RegisterName.Rip) == at);
    }

    /// <summary>Ends the halt by an interrupt.</summary>
    public void Wake()
    {
        IsHalted = false;
        Cpu.InjectInterrupt(WakeVector!.Value);
    }

    /// <summary>The instruction at an address, where linear addresses are physical ones; an invalid one outside memory.</summary>
    public Instruction Decode(ulong rip)
    {
        const int Longest = 15;
        ulong linear = rip + Cpu.GetSegmentDescriptor(RegisterName.Cs).Base;
        return linear > MemoryLength - Longest
            ? default
            : Decoder.Create(Bitness, new ByteArrayCodeReader(MemoryAt(linear, Longest).ToArray()), rip).Decode();
    }

    private int Bitness
    {
        get
        {
            const ulong LongModeActive = 1 << 10;
            const uint BigBit = 1 << 14;
            SegmentAccess code = Cpu.GetSegmentDescriptor(RegisterName.Cs).Access;
            return code.IsLong && (Cpu.GetRegister(RegisterName.Efer) & LongModeActive) != 0 ? 64 : (code.Value & BigBit) != 0 ? 32 : 16;
        }
    }

    private bool IsRepeated(ulong rip)
    {
        Instruction instruction = Decode(rip);
        return instruction.IsStringInstruction && (instruction.HasRepPrefix || instruction.HasRepnePrefix);
    }

    private void StepOnce()
    {
        while (true)
        {
            VmExit exit = Run();
            switch (exit.Code)
            {
                case ExitCode.Inout:
                    AnswerPort(exit.Port);
                    break;
                case ExitCode.Mmio:
                    Note(exit.Mmio.IsRead, $"memory {exit.Mmio.Address.Value:x}.{exit.Mmio.Bytes}", exit.Mmio.Data);
                    Cpu.Fulfill(Answer());
                    break;
                case ExitCode.Rdmsr or ExitCode.Wrmsr:
                    Note(exit.Code == ExitCode.Rdmsr, $"MSR {exit.Msr.Index.Value:x}", exit.Msr.Value);
                    Cpu.Fulfill(Answer());
                    break;
                case ExitCode.Hlt:
                    IsHalted = WakeVector is not null && (Cpu.GetRegister(RegisterName.Rflags) & InterruptFlag) != 0;
                    HasEnded = !IsHalted;
                    return;
                case ExitCode.MonitorTrap:
                    return;
                default:
                    Unexpected = exit.ToString();
                    HasEnded = true;
                    return;
            }

            if (HasEnded)
            {
                return;
            }
        }
    }

    private void AnswerPort(in PortExit port)
    {
        bool isRead = port.IsIn;
        Span<byte> data = Cpu.ExitData;
        int size = port.Bytes;
        for (int element = 0; element < port.Count; element++)
        {
            ulong value = isRead ? 0 : port.Count == 1 ? port.Eax & Mask(size) : Read(data.Slice(element * size, size));
            Note(isRead, $"port {port.Port:x}.{size}", value);
            ulong answer = port.Port == SerialStatus ? 0x60 : Answer();
            if (isRead && port.Count > 1)
            {
                BitConverter.GetBytes(answer).AsSpan(0, size).CopyTo(data[(element * size)..]);
            }
            else if (isRead)
            {
                Cpu.Fulfill(answer & Mask(size));
                return;
            }
        }

        Cpu.Fulfill();
        if (port.Port == PowerPort && !isRead)
        {
            // RIP is behind the instruction on every backend.
            Complete();
            HasEnded = true;
        }
    }

    private static ulong Mask(int size) => ulong.MaxValue >> (64 - (size * 8));

    private static ulong Read(ReadOnlySpan<byte> data)
    {
        ulong value = 0;
        for (int i = data.Length - 1; i >= 0; i--)
        {
            value = value << 8 | data[i];
        }

        return value;
    }

    private ulong Answer() => ++_asked * 0x9e37_79b9_7f4a_7c15;

    private void Note(bool isRead, string what, ulong value) => Accesses.Add(
        isRead ? $"reads {what}" : string.Create(CultureInfo.InvariantCulture, $"writes {value:x} to {what}"));
}
