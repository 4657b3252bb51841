// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Time;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>The I/O APIC, the 8259 pair and the 8254 inside KVM.</content>
internal sealed partial class KvmVm : IBackendChips
{
    // Values of read_state, write_state and count_latched in kvm_pit_channel_state: which byte of a word is next.
    private const byte WordLow = 3;
    private const byte WordHigh = 4;
    private const byte LatchedHigh = 2;
    private const byte NeverProgrammed = 0xff;
    private const byte HighestMode = 5;

    /// <inheritdoc/>
    public int IoApicPins => KvmConstants.IoapicNumPins;

    /// <inheritdoc/>
    public void SetPin(int pin, bool asserted) => _vm.IrqLine((uint)(FirstPinLine + pin), asserted);

    /// <inheritdoc/>
    public void SetRequest(int request, bool asserted) => _vm.IrqLine((uint)(FirstRequestLine + request), asserted);

    /// <inheritdoc/>
    public BackendIoApic ReadIoApic()
    {
        _vm.GetIrqchip(KvmIrqchipId.Ioapic, out KvmIrqchip chip);
        ReadOnlySpan<ulong> entries = chip.Ioapic.Redirtbl;
        return new BackendIoApic((byte)chip.Ioapic.Id, (byte)chip.Ioapic.Ioregsel, [.. entries], chip.Ioapic.Irr);
    }

    /// <inheritdoc/>
    public void WriteIoApic(BackendIoApic state)
    {
        _vm.GetIrqchip(KvmIrqchipId.Ioapic, out KvmIrqchip chip);
        chip.Ioapic.Id = state.Id;
        chip.Ioapic.Ioregsel = state.Selected;
        chip.Ioapic.Irr = state.Lines;
        Span<ulong> entries = chip.Ioapic.Redirtbl;
        state.Entries.AsSpan().CopyTo(entries);
        _vm.SetIrqchip(chip);
    }

    /// <inheritdoc/>
    public Backend8259 Read8259(bool isSlave)
    {
        _vm.GetIrqchip(ChipOf(isSlave), out KvmIrqchip chip);
        ref KvmPicState state = ref chip.Pic;
        return new Backend8259
        {
            Requests = state.Irr,
            InService = state.Isr,
            Mask = state.Imr,
            Lines = state.LastIrr,
            LevelTriggered = state.Elcr,
            VectorBase = state.IrqBase,
            HighestPriority = state.PriorityAdd,
            ExpectedIcw = state.InitState,
            NeedsIcw4 = state.Init4 != 0,
            ReadInService = state.ReadRegSelect != 0,
            Poll = state.Poll != 0,
            SpecialMask = state.SpecialMask != 0,
            AutoEndOfInterrupt = state.AutoEoi != 0,
            RotateOnAutoEndOfInterrupt = state.RotateOnAutoEoi != 0,
            SpecialFullyNested = state.SpecialFullyNestedMode != 0,
        };
    }

    /// <inheritdoc/>
    public void Write8259(bool isSlave, in Backend8259 state)
    {
        _vm.GetIrqchip(ChipOf(isSlave), out KvmIrqchip chip);
        chip.Pic = new KvmPicState
        {
            Irr = state.Requests,
            Isr = state.InService,
            Imr = state.Mask,
            LastIrr = state.Lines,
            Elcr = state.LevelTriggered,
            ElcrMask = chip.Pic.ElcrMask,
            IrqBase = state.VectorBase,
            PriorityAdd = state.HighestPriority,
            InitState = state.ExpectedIcw,
            Init4 = Byte(state.NeedsIcw4),
            ReadRegSelect = Byte(state.ReadInService),
            Poll = Byte(state.Poll),
            SpecialMask = Byte(state.SpecialMask),
            AutoEoi = Byte(state.AutoEndOfInterrupt),
            RotateOnAutoEoi = Byte(state.RotateOnAutoEndOfInterrupt),
            SpecialFullyNestedMode = Byte(state.SpecialFullyNested),
        };
        _vm.SetIrqchip(chip);
    }

    /// <inheritdoc/>
    public Backend8254 Read8254()
    {
        KvmPitState2 state = _vm.GetPit2();
        return new Backend8254(
            FromKvm(state.Channels[0]),
            FromKvm(state.Channels[1]),
            FromKvm(state.Channels[2]),
            ((KvmPitStateFlags)state.Flags).HasFlag(KvmPitStateFlags.SpeakerDataOn));
    }

    /// <inheritdoc/>
    public void Write8254(in Backend8254 state)
    {
        KvmPitState2 target = _vm.GetPit2();
        target.Channels[0] = ToKvm(state.Counter0);
        target.Channels[1] = ToKvm(state.Counter1);
        target.Channels[2] = ToKvm(state.Counter2);
        KvmPitStateFlags others = (KvmPitStateFlags)target.Flags & ~KvmPitStateFlags.SpeakerDataOn;
        target.Flags = (uint)(others | (state.SpeakerEnabled ? KvmPitStateFlags.SpeakerDataOn : KvmPitStateFlags.None));
        _vm.SetPit2(target);
    }

    private static KvmIrqchipId ChipOf(bool isSlave) => isSlave ? KvmIrqchipId.PicSlave : KvmIrqchipId.PicMaster;

    private static byte Byte(bool value) => value ? (byte)1 : (byte)0;

    private static Backend8254Counter FromKvm(in KvmPitChannelState channel)
    {
        bool isWord = channel.RwMode == WordLow;
        return new Backend8254Counter
        {
            IsProgrammed = channel.Mode <= HighestMode,
            Control = channel.Mode > HighestMode ? (byte)0 : (byte)((channel.RwMode << 4) | (channel.Mode << 1) | (channel.Bcd & 1)),
            CountRegister = (ushort)channel.Count,
            LoadedAt = new HostTime(channel.CountLoadTime),
            Gate = channel.Gate != 0,
            WriteLatch = channel.WriteLatch,
            WriteHigh = isWord && channel.WriteState == WordHigh,
            ReadHigh = isWord && channel.ReadState == WordHigh,
            CountLatched = channel.CountLatched != 0,
            LatchedCount = channel.CountLatched != 0 ? channel.LatchedCount : (ushort)0,
            LatchHigh = isWord && channel.CountLatched == LatchedHigh,
            StatusLatched = channel.StatusLatched != 0,
            LatchedStatus = channel.StatusLatched != 0 ? channel.Status : (byte)0,
        };
    }

    private static KvmPitChannelState ToKvm(in Backend8254Counter counter)
    {
        byte access = (byte)((counter.Control >> 4) & 3);
        return new KvmPitChannelState
        {
            Mode = counter.IsProgrammed ? (byte)((counter.Control >> 1) & 7) : NeverProgrammed,
            Bcd = (byte)(counter.Control & 1),
            RwMode = access,
            Count = counter.CountRegister,
            CountLoadTime = counter.LoadedAt.Nanoseconds,
            Gate = Byte(counter.Gate),
            WriteLatch = counter.WriteLatch,
            WriteState = counter.WriteHigh ? WordHigh : access,
            ReadState = counter.ReadHigh ? WordHigh : access,
            CountLatched = !counter.CountLatched ? (byte)0 : counter.LatchHigh ? LatchedHigh : access,
            LatchedCount = counter.LatchedCount,
            StatusLatched = Byte(counter.StatusLatched),
            Status = counter.LatchedStatus,
        };
    }
}
