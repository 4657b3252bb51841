// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Interrupts;

/// <content>Saving and restoring.</content>
public sealed partial class AtPic
{
    /// <summary>The length of the exchange layout in bytes (class ATPIC, version 1).</summary>
    public const int LayoutLength = 80;

    private const int ChipLength = LayoutLength / 2;

    [Flags]
    private enum LayoutFlags : byte
    {
        None = 0,
        Ready = 1 << 0,
        AutoEndOfInterrupt = 1 << 1,
        Poll = 1 << 2,
        RotateOnAutoEndOfInterrupt = 1 << 3,
        SpecialFullyNested = 1 << 4,
        ReadInService = 1 << 5,
        Raised = 1 << 6,
        SpecialMask = 1 << 7,
    }

    /// <summary>Takes the whole state.</summary>
    /// <returns>The state.</returns>
    public AtPicState Save()
    {
        lock (_lock)
        {
            return new AtPicState { Master = _master.Save(), Slave = _slave.Save(), SlaveRaised = _slaveOutput };
        }
    }

    /// <summary>
    /// Puts the whole state back and drives the output. Fields out of range are cut to what the chip has, and requests of
    /// level-triggered pins follow their assertions.
    /// </summary>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: a version that this engine does not know.</exception>
    public void Restore(AtPicState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Version != AtPicState.CurrentVersion)
        {
            ChipThrow.Invalid(nameof(Restore), $"the state of the 8259 pair has version {state.Version}");
        }

        bool changed;
        lock (_lock)
        {
            _master.Restore(state.Master);
            _slave.Restore(state.Slave);
            _slaveOutput = state.SlaveRaised;
            changed = Update();
        }

        Publish(changed);
    }

    /// <summary>Writes the exchange layout: 80 bytes, two chips of 40.</summary>
    /// <param name="destination">At least <see cref="LayoutLength"/> bytes.</param>
    public void ExportLayout(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, LayoutLength, nameof(destination));
        AtPicState state = Save();
        ExportChip(state.Master, IsInterruptRequested, destination[..ChipLength]);
        ExportChip(state.Slave, state.SlaveRaised, destination[ChipLength..LayoutLength]);
    }

    /// <summary>Takes the exchange layout. The first chip's output follows from the rest, so the bit that tells it is ignored.</summary>
    /// <param name="source">At least <see cref="LayoutLength"/> bytes.</param>
    /// <returns>None; EINVAL, and nothing changes: an initialization state above 3, or a trigger mode that no PC has.</returns>
    public VmmError ImportLayout(ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, LayoutLength, nameof(source));
        if (!TryImportChip(source[..ChipLength], elcrMask: 0xf8, out Pic8259State? master) ||
            !TryImportChip(source[ChipLength..LayoutLength], elcrMask: 0xde, out Pic8259State? slave))
        {
            return VmmError.EINVAL;
        }

        bool raised = ((LayoutFlags)source[ChipLength + 1]).HasFlag(LayoutFlags.Raised);
        Restore(new AtPicState { Master = master, Slave = slave, SlaveRaised = raised });
        return VmmError.None;
    }

    private static void ExportChip(Pic8259State chip, bool raised, Span<byte> destination)
    {
        LayoutWriter writer = new(destination);
        writer.Byte(chip.ExpectedIcw);
        writer.Byte((byte)(
            Flag(chip.Ready, LayoutFlags.Ready) |
            Flag(chip.AutoEndOfInterrupt, LayoutFlags.AutoEndOfInterrupt) |
            Flag(chip.Poll, LayoutFlags.Poll) |
            Flag(chip.RotateOnAutoEndOfInterrupt, LayoutFlags.RotateOnAutoEndOfInterrupt) |
            Flag(chip.SpecialFullyNested, LayoutFlags.SpecialFullyNested) |
            Flag(chip.ReadInService, LayoutFlags.ReadInService) |
            Flag(raised, LayoutFlags.Raised) |
            Flag(chip.SpecialMask, LayoutFlags.SpecialMask)));
        writer.Byte(chip.Requests);
        writer.Byte(chip.InService);
        writer.Byte(chip.Mask);
        writer.Byte(chip.VectorBase);
        writer.Byte(chip.LowestPriority);
        writer.Byte(chip.LevelTriggered);
        for (int pin = 0; pin < Pic8259.Pins; pin++)
        {
            writer.UInt32(chip.Assertions[pin]);
        }

        static LayoutFlags Flag(bool set, LayoutFlags flag) => set ? flag : LayoutFlags.None;
    }

    private static bool TryImportChip(
        ReadOnlySpan<byte> source,
        byte elcrMask,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Pic8259State? chip)
    {
        LayoutReader reader = new(source);
        byte expectedIcw = reader.Byte();
        LayoutFlags flags = (LayoutFlags)reader.Byte();
        chip = new Pic8259State
        {
            ExpectedIcw = expectedIcw,
            Ready = flags.HasFlag(LayoutFlags.Ready),
            AutoEndOfInterrupt = flags.HasFlag(LayoutFlags.AutoEndOfInterrupt),
            RotateOnAutoEndOfInterrupt = flags.HasFlag(LayoutFlags.RotateOnAutoEndOfInterrupt),
            Poll = flags.HasFlag(LayoutFlags.Poll),
            SpecialFullyNested = flags.HasFlag(LayoutFlags.SpecialFullyNested),
            ReadInService = flags.HasFlag(LayoutFlags.ReadInService),
            SpecialMask = flags.HasFlag(LayoutFlags.SpecialMask),
            Requests = reader.Byte(),
            InService = reader.Byte(),
            Mask = reader.Byte(),
            VectorBase = reader.Byte(),
            LowestPriority = reader.Byte(),
            LevelTriggered = reader.Byte(),
            Assertions = ReadCounters(ref reader, Pic8259.Pins),
        };

        const byte HighestIcw = 3;
        if (expectedIcw <= HighestIcw && (chip.LevelTriggered & ~elcrMask) == 0)
        {
            return true;
        }

        chip = null;
        return false;
    }

    private static PinCounters ReadCounters(ref LayoutReader reader, int pins)
    {
        Span<uint> counts = stackalloc uint[pins];
        foreach (ref uint count in counts)
        {
            count = reader.UInt32();
        }

        return new PinCounters(counts);
    }
}
