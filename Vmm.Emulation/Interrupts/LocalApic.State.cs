// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Interrupts;

/// <content>Saving and restoring.</content>
public sealed partial class LocalApic
{
    /// <summary>The length of the exchange layout in bytes (class LAPIC, version 1).</summary>
    public const int LayoutLength = 200;

    private const int VectorWords = 8;

    /// <summary>Takes the whole state. Owner, while nothing sends interrupts.</summary>
    /// <returns>The state. The level of local interrupt 0 belongs to whoever drives it and is not part of it.</returns>
    public LocalApicState Save()
    {
        lock (_timerLock)
        {
            return new LocalApicState
            {
                Id = _options.Id,
                ApicBase = _base,
                TaskPriority = (byte)_taskPriority,
                LogicalDestination = _logicalId,
                DestinationFormat = _destinationFormat,
                SpuriousVector = _spurious,
                InService = _inService.Save(),
                TriggerMode = _triggerMode.Save(),
                Requests = _request.Save(),
                ErrorStatus = _errors,
                PendingErrors = _pendingErrors,
                InterruptCommand = _command,
                LvtLint0 = ReadLvt(LocalVector.Lint0),
                LvtLint1 = ReadLvt(LocalVector.Lint1),
                LvtTimer = ReadLvt(LocalVector.Timer),
                LvtError = ReadLvt(LocalVector.Error),
                LvtPerformance = ReadLvt(LocalVector.Performance),
                LvtThermal = ReadLvt(LocalVector.Thermal),
                LvtCmci = ReadLvt(LocalVector.Cmci),
                InitialCount = _initialCount,
                DivideConfiguration = _divideConfiguration,
                TimerExpiry = _expiry,
                TimerExpiryRemainder = _expiryRemainder,
                TscDeadline = _tscDeadline,
                TscOffset = _tscOffset,
                ExternalPending = _externalPending,
            };
        }
    }

    /// <summary>
    /// Puts the whole state back, arms the timer and tells the sink what is pending. Bits that no register can have are
    /// dropped. Owner, while nothing sends interrupts.
    /// </summary>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: an unknown version, another APIC's id, or a base address no guest can set.</exception>
    public void Restore(LocalApicState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Version != LocalApicState.CurrentVersion)
        {
            ChipThrow.Invalid(nameof(Restore), $"the state of the local APIC has version {state.Version}");
        }

        if (state.Id != _options.Id)
        {
            ChipThrow.Invalid(nameof(Restore), $"the state is that of local APIC {state.Id}, not {_options.Id}");
        }

        const ulong Modes = ApicBits.BaseEnable | ApicBits.BaseX2Apic;
        if ((state.ApicBase & _baseReserved) != 0 || (state.ApicBase & Modes) == ApicBits.BaseX2Apic)
        {
            ChipThrow.Invalid(nameof(Restore), $"IA32_APIC_BASE cannot be 0x{state.ApicBase:x}");
        }

        ApicMode before = Mode;
        Volatile.Write(ref _base, state.ApicBase);
        if (before != Mode)
        {
            _fabric.ModeChanged(before, Mode);
        }

        RestoreRegisters(state);
        RestoreTimer(state);
        if (_request.Highest >= 0)
        {
            _sink.InterruptPending();
        }

        if (HasExternalInterrupt)
        {
            _sink.ExternalInterrupt();
        }
    }

    /// <summary>Writes the exchange layout: the register page's contents, IA32_APIC_BASE, the timer's target, pending errors. Owner.</summary>
    /// <param name="destination">At least <see cref="LayoutLength"/> bytes.</param>
    public void ExportLayout(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, LayoutLength, nameof(destination));
        LocalApicState state = Save();
        bool x2 = Mode == ApicMode.X2Apic;
        LayoutWriter writer = new(destination[..LayoutLength]);
        writer.UInt32(x2 ? state.Id : state.Id << 24);
        writer.UInt32(VersionRegister);
        writer.UInt32(state.TaskPriority);
        writer.UInt32(0);
        writer.UInt32(x2 ? DerivedLogicalId : state.LogicalDestination);
        writer.UInt32(x2 ? 0 : state.DestinationFormat);
        writer.UInt32(state.SpuriousVector);
        WriteVectors(ref writer, state.InService);
        WriteVectors(ref writer, state.TriggerMode);
        WriteVectors(ref writer, state.Requests);
        writer.UInt32(state.ErrorStatus);
        writer.UInt32(state.LvtCmci);
        writer.UInt32(0);
        writer.UInt64(state.InterruptCommand);
        writer.UInt32(state.LvtTimer);
        writer.UInt32(state.LvtThermal);
        writer.UInt32(state.LvtPerformance);
        writer.UInt32(state.LvtLint0);
        writer.UInt32(state.LvtLint1);
        writer.UInt32(state.LvtError);
        writer.UInt32(state.InitialCount);
        writer.UInt32(state.DivideConfiguration);
        writer.UInt64(state.ApicBase);
        writer.UInt64(state.TimerExpiry == 0 ? 0 : (ulong)state.TimerExpiry + (state.TimerExpiryRemainder != 0 ? 1u : 0u));
        writer.UInt32(state.PendingErrors);
        writer.UInt32(0);
    }

    /// <summary>
    /// Takes the exchange layout. What it lacks stays zero: the fraction of the timer's expiry, a TSC deadline, a pending
    /// external interrupt. Owner, while nothing sends interrupts.
    /// </summary>
    /// <param name="source">At least <see cref="LayoutLength"/> bytes.</param>
    /// <returns>
    /// None; EINVAL, and nothing changes: an error bit that does not exist, an IA32_APIC_BASE that differs in more than its
    /// enable bit, another id or version, a task priority above 255, a vector below 16, or several vectors in service in a
    /// group of 8.
    /// </returns>
    public VmmError ImportLayout(ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, LayoutLength, nameof(source));
        LayoutReader reader = new(source[..LayoutLength]);
        uint id = reader.UInt32();
        uint version = reader.UInt32();
        uint taskPriority = reader.UInt32();
        reader.UInt32();
        LocalApicState state = new()
        {
            Id = _options.Id,
            TaskPriority = (byte)taskPriority,
            LogicalDestination = reader.UInt32(),
            DestinationFormat = reader.UInt32(),
            SpuriousVector = reader.UInt32(),
            InService = ReadVectors(ref reader),
            TriggerMode = ReadVectors(ref reader),
            Requests = ReadVectors(ref reader),
            ErrorStatus = reader.UInt32(),
            LvtCmci = reader.UInt32(),
            InterruptCommand = UInt64AfterPadding(ref reader),
            LvtTimer = reader.UInt32(),
            LvtThermal = reader.UInt32(),
            LvtPerformance = reader.UInt32(),
            LvtLint0 = reader.UInt32(),
            LvtLint1 = reader.UInt32(),
            LvtError = reader.UInt32(),
            InitialCount = reader.UInt32(),
            DivideConfiguration = reader.UInt32(),
            ApicBase = reader.UInt64(),
            TimerExpiry = Math.Max(0, (long)reader.UInt64()),
            PendingErrors = reader.UInt32(),
            TscOffset = _tscOffset,
        };

        uint ownId = Mode == ApicMode.X2Apic ? _options.Id : _options.Id << 24;
        bool acceptable =
            ((state.ErrorStatus | state.PendingErrors) & ~ApicBits.ErrorMask) == 0 &&
            ((state.ApicBase ^ _base) & (_baseReserved | ApicBits.BaseX2Apic | ApicBits.BaseBootstrap)) == 0 &&
            (state.ApicBase & (ApicBits.BaseX2Apic | ApicBits.BaseEnable)) != ApicBits.BaseX2Apic &&
            id == ownId &&
            version == VersionRegister &&
            taskPriority <= byte.MaxValue &&
            ((state.InService.Bits0 | state.Requests.Bits0 | state.TriggerMode.Bits0) & ushort.MaxValue) == 0 &&
            HasOneInEachGroup(state.InService);
        if (!acceptable)
        {
            return VmmError.EINVAL;
        }

        Restore(state);
        return VmmError.None;
    }

    private static ulong UInt64AfterPadding(ref LayoutReader reader)
    {
        reader.UInt32();
        return reader.UInt64();
    }

    private static void WriteVectors(ref LayoutWriter writer, VectorBits bits)
    {
        for (int index = 0; index < VectorWords; index++)
        {
            writer.UInt32((uint)(bits.Word(index >> 1) >> ((index & 1) * 32)));
        }
    }

    private static VectorBits ReadVectors(ref LayoutReader reader) =>
        new(reader.UInt64(), reader.UInt64(), reader.UInt64(), reader.UInt64());

    // Groups of 8 as the reference checks them, although a priority class has 16 vectors.
    private static bool HasOneInEachGroup(VectorBits bits)
    {
        for (int shift = 0; shift < 256; shift += 8)
        {
            if (System.Numerics.BitOperations.PopCount((byte)(bits.Word(shift >> 6) >> (shift & 63))) > 1)
            {
                return false;
            }
        }

        return true;
    }

    private void RestoreRegisters(LocalApicState state)
    {
        const ulong IllegalVectors = ushort.MaxValue;
        uint allowed = ApicBits.SpuriousMask |
            (_options.HasEoiBroadcastSuppression ? ApicBits.SpuriousSuppressBroadcast : 0);
        Volatile.Write(ref _spurious, state.SpuriousVector & allowed);
        Volatile.Write(ref _logicalId, state.LogicalDestination & ApicBits.DestinationHighByte);
        Volatile.Write(ref _destinationFormat, state.DestinationFormat | ApicBits.DestinationFormatFixed);
        _inService.Restore(state.InService with { Bits0 = state.InService.Bits0 & ~IllegalVectors });
        _triggerMode.Restore(state.TriggerMode with { Bits0 = state.TriggerMode.Bits0 & ~IllegalVectors });
        _request.Restore(state.Requests with { Bits0 = state.Requests.Bits0 & ~IllegalVectors });
        _errors = state.ErrorStatus & ApicBits.ErrorMask;
        Volatile.Write(ref _pendingErrors, state.PendingErrors & ApicBits.ErrorMask);
        _command = state.InterruptCommand & ~(ulong)ApicBits.CommandBusy;
        RestoreLvt(LocalVector.Lint0, state.LvtLint0);
        RestoreLvt(LocalVector.Lint1, state.LvtLint1);
        RestoreLvt(LocalVector.Timer, state.LvtTimer);
        RestoreLvt(LocalVector.Error, state.LvtError);
        RestoreLvt(LocalVector.Performance, state.LvtPerformance);
        RestoreLvt(LocalVector.Thermal, state.LvtThermal);
        RestoreLvt(LocalVector.Cmci, state.LvtCmci);
        Volatile.Write(ref _externalPending, state.ExternalPending);
        SetTaskPriority(state.TaskPriority);
    }

    private void RestoreLvt(LocalVector local, uint value) => Volatile.Write(
        ref _lvt[(int)local], (value & AllowedInLvt(local)) | (IsSoftwareEnabled ? 0 : ApicBits.LvtMasked));

    private void RestoreTimer(LocalApicState state)
    {
        lock (_timerLock)
        {
            _initialCount = state.InitialCount;
            _divideConfiguration = state.DivideConfiguration & ApicBits.DivideMask;
            _expiry = Math.Clamp(state.TimerExpiry, 0, long.MaxValue - 1);
            _expiryRemainder = state.TimerExpiryRemainder % Frequency;
            _tscDeadline = state.TscDeadline;
            _tscOffset = state.TscOffset;
            if (_expiry != 0)
            {
                _deadlines.Arm(_deadline, Due);
            }
            else
            {
                _deadlines.Disarm(_deadline);
            }
        }
    }
}
