// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>Runs a script on our chips, wired as in a PC with one processor.</summary>
internal sealed class ModelChips : IInterruptLine, IApicSink
{
    private const uint VectorMark = 0x1_0000;
    private const byte GeneralProtection = 13;

    private readonly List<uint> _log = [];
    private readonly List<uint> _accepted = [];
    private readonly bool[] _lines = new bool[64];

    private ModelChips()
    {
        ManualClock clock = new();
        Fabric = new InterruptFabric();
        Apic = new LocalApic(
            new LocalApicOptions { IsBootstrap = true, BasePolicy = ApicBasePolicy.Architectural },
            Fabric,
            this,
            clock,
            clock.Deadlines);
        Fabric.Attach(Apic);
        IoApic = new IoApic(Fabric, new IoApicOptions { PinCount = KvmChips.IoApicPins });
        Pic = new AtPic(this);
    }

    /// <summary>The registers that KVM_GET_LAPIC must show as ours, all but the timer's count, the version and CMCI.</summary>
    public static IReadOnlyList<int> ComparedApicRegisters { get; } =
    [
        0x20, 0x80, 0xd0, 0xe0, 0xf0, .. Enumerable.Range(0, 24).Select(index => 0x100 + (index * 0x10)), 0x300, 0x320, 0x330,
        0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0,
    ];

    private InterruptFabric Fabric { get; }

    private LocalApic Apic { get; }

    private IoApic IoApic { get; }

    private AtPic Pic { get; }

    public static ChipOutcome Run(ReadOnlySpan<ChipOp> script)
    {
        ModelChips chips = new();
        foreach (ChipOp op in script)
        {
            chips.Execute(op);
        }

        return new ChipOutcome([.. chips._log, .. chips._accepted], chips.Registers());
    }

    public void SetLevel(bool asserted) => Apic.SetLint0(asserted);

    public void InterruptPending()
    {
    }

    public void ExternalInterrupt()
    {
    }

    public void Nmi()
    {
    }

    public void Init()
    {
    }

    public void StartUp(byte vector)
    {
    }

    private void Execute(ChipOp op)
    {
        switch (op.Code)
        {
            case ChipOpCode.Host when op.IsAccept:
                Accept();
                break;
            case ChipOpCode.Host when op.IsMsi:
                Fabric.SignalMsi(op.MsiAddress, op.MsiData);
                break;
            case ChipOpCode.Host:
                SetLine(op.Line, op.Level);
                break;
            case ChipOpCode.Out:
                Pic.WritePort(op.Argument, 1, op.Value);
                break;
            case ChipOpCode.In:
                Pic.ReadPort(op.Argument, 1, out uint input);
                _log.Add(input);
                break;
            case ChipOpCode.ApicWrite:
                Apic.WriteMmio(op.Argument, 4, op.Value);
                break;
            case ChipOpCode.ApicRead:
                _log.Add((uint)Apic.ReadMmio(op.Argument, 4));
                break;
            case ChipOpCode.IoApicWrite:
                IoApic.WriteMmio(0, 4, op.Argument);
                IoApic.WriteMmio(0x10, 4, op.Value);
                break;
            case ChipOpCode.IoApicRead:
                IoApic.WriteMmio(0, 4, op.Argument);
                _log.Add((uint)IoApic.ReadMmio(0x10, 4));
                break;
            case ChipOpCode.Window:
                TakeInterrupt();
                _log.Add(uint.MaxValue);
                break;
            case ChipOpCode.WriteMsr:
                LogFault(Apic.WriteMsr(op.Argument, op.Value));
                _log.Add(op.Value);
                break;
            case ChipOpCode.ReadMsr:
                LogFault(Apic.ReadMsr(op.Argument, out ulong value));
                _log.Add((uint)value);
                _log.Add((uint)(value >> 32));
                break;
            default:
                break;
        }
    }

    private void SetLine(int line, bool level)
    {
        if (line >= KvmChips.FirstPicLine)
        {
            int irq = line - KvmChips.FirstPicLine;
            Drive(level, () => Pic.AssertIrq(irq), () => Pic.DeassertIrq(irq));
        }
        else
        {
            Drive(level, () => IoApic.AssertPin(line), () => IoApic.DeassertPin(line));
        }

        // The script says levels and may say the same one twice; a device's line would not count that.
        void Drive(bool up, Action assert, Action deassert)
        {
            if (_lines[line] == up)
            {
                return;
            }

            _lines[line] = up;
            (up ? assert : deassert)();
        }
    }

    private void TakeInterrupt()
    {
        if (Apic.HasExternalInterrupt)
        {
            Apic.AcceptExternalInterrupt();
            _log.Add(VectorMark | Pic.Acknowledge());
        }
    }

    private void Accept()
    {
        if (Apic.TryGetPendingVector(out byte vector))
        {
            Apic.AcceptInterrupt(vector);
            _accepted.Add(vector);
        }
        else
        {
            _accepted.Add(uint.MaxValue);
        }
    }

    private void LogFault(MsrOutcome outcome)
    {
        if (outcome != MsrOutcome.Handled)
        {
            _log.Add(VectorMark | GeneralProtection);
        }
    }

    private List<string> Registers()
    {
        AtPicState pair = Pic.Save();
        List<string> registers = [];
        foreach (Pic8259State pic in (ReadOnlySpan<Pic8259State>)[pair.Master, pair.Slave])
        {
            registers.Add(
                $"pic irr {pic.Requests:x} isr {pic.InService:x} imr {pic.Mask:x} base {pic.VectorBase:x} " +
                $"first {(pic.LowestPriority + 1) & 7} elcr {pic.LevelTriggered:x}");
        }

        IoApicState ioApic = IoApic.Save();
        for (int pin = 0; pin < KvmChips.IoApicPins; pin++)
        {
            registers.Add($"pin {pin} {ioApic.Entries[pin]:x}");
        }

        registers.AddRange(ComparedApicRegisters.Select(offset => $"apic {offset:x} {Apic.ReadMmio((ulong)offset, 4):x}"));
        return registers;
    }
}
