// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <content>The register page of xAPIC mode, and what both modes share.</content>
public sealed partial class LocalApic
{
    /// <summary>The length of the register page in bytes.</summary>
    public const ulong PageLength = 0x1000;

    private const ulong RegisterStride = 16;

    /// <summary>
    /// The guest reads the register page. Registers are 32 bits wide, one in 16 bytes; a read inside the first four bytes gives
    /// that part of the register, elsewhere zero. Outside xAPIC mode every read gives all ones. Owner.
    /// </summary>
    /// <param name="offset">The offset from <see cref="BaseAddress"/>.</param>
    /// <param name="bytes">1 to 8.</param>
    /// <returns>The value, little-endian, cut to the width.</returns>
    public ulong ReadMmio(ulong offset, int bytes)
    {
        ulong mask = bytes >= sizeof(ulong) ? ulong.MaxValue : (1UL << (Math.Max(bytes, 0) * 8)) - 1;
        if (Mode != ApicMode.XApic)
        {
            return mask;
        }

        if (offset >= PageLength)
        {
            return 0;
        }

        if (!TryRead((ApicRegister)(offset / RegisterStride), out uint value))
        {
            RaiseError(ApicBits.ErrorIllegalRegister);
            return 0;
        }

        int inside = (int)(offset % RegisterStride);
        return inside >= sizeof(uint) ? 0 : (value >> (inside * 8)) & mask;
    }

    /// <summary>
    /// The guest writes the register page. Only whole registers can be written: 4 bytes at a multiple of 16. Other writes,
    /// and all writes outside xAPIC mode, do nothing. Owner.
    /// </summary>
    /// <param name="offset">The offset from <see cref="BaseAddress"/>.</param>
    /// <param name="bytes">1 to 8.</param>
    /// <param name="value">The value.</param>
    public void WriteMmio(ulong offset, int bytes, ulong value)
    {
        if (Mode != ApicMode.XApic || bytes != sizeof(uint) || offset % RegisterStride != 0 || offset >= PageLength)
        {
            return;
        }

        ApicRegister register = (ApicRegister)(offset / RegisterStride);
        uint data = (uint)value;
        switch (register)
        {
            case ApicRegister.Id:
                // The id is the processor's number here and cannot be changed.
                break;
            case ApicRegister.LogicalDestination:
                Volatile.Write(ref _logicalId, data & ApicBits.DestinationHighByte);
                break;
            case ApicRegister.DestinationFormat:
                Volatile.Write(ref _destinationFormat, data | ApicBits.DestinationFormatFixed);
                break;
            case ApicRegister.CommandHigh:
                _command = (uint)_command | ((ulong)(data & ApicBits.DestinationHighByte) << 32);
                break;
            case ApicRegister.CommandLow:
                _command = (_command & ~(ulong)uint.MaxValue) | (data & ~ApicBits.CommandBusy);
                Command(_command, (uint)(_command >> 56), wide: false);
                break;
            default:
                if (!TryWrite(register, data))
                {
                    RaiseError(ApicBits.ErrorIllegalRegister);
                }

                break;
        }
    }

    private static LocalVector LvtOf(ApicRegister register) => register switch
    {
        ApicRegister.LvtCmci => LocalVector.Cmci,
        ApicRegister.LvtTimer => LocalVector.Timer,
        ApicRegister.LvtThermal => LocalVector.Thermal,
        ApicRegister.LvtPerformance => LocalVector.Performance,
        ApicRegister.LvtLint0 => LocalVector.Lint0,
        ApicRegister.LvtLint1 => LocalVector.Lint1,
        _ => LocalVector.Error,
    };

    /// <summary>Reads a register in xAPIC mode; the MSR interface narrows what exists further.</summary>
    private bool TryRead(ApicRegister register, out uint value)
    {
        value = register switch
        {
            ApicRegister.Id => _options.Id << 24,
            ApicRegister.Version => VersionRegister,
            ApicRegister.TaskPriority => _taskPriority,
            ApicRegister.ProcessorPriority => (uint)_processorPriority,
            ApicRegister.LogicalDestination => _logicalId,
            ApicRegister.DestinationFormat => _destinationFormat,
            ApicRegister.SpuriousVector => _spurious,
            >= ApicRegister.InService and < ApicRegister.TriggerMode => _inService.Read32((int)register & 7),
            >= ApicRegister.TriggerMode and < ApicRegister.Request => _triggerMode.Read32((int)register & 7),
            >= ApicRegister.Request and < ApicRegister.ErrorStatus => _request.Read32((int)register & 7),
            ApicRegister.ErrorStatus => _errors,
            ApicRegister.CommandLow => (uint)_command,
            ApicRegister.CommandHigh => (uint)(_command >> 32),
            ApicRegister.LvtCmci or (>= ApicRegister.LvtTimer and <= ApicRegister.LvtError) => ReadLvt(LvtOf(register)),
            ApicRegister.InitialCount => _initialCount,
            ApicRegister.CurrentCount => ReadCurrentCount(),
            ApicRegister.DivideConfiguration => _divideConfiguration,
            _ => 0,
        };
        return value != 0 || register is
            ApicRegister.Id or ApicRegister.TaskPriority or ApicRegister.ArbitrationPriority or
            ApicRegister.ProcessorPriority or ApicRegister.RemoteRead or ApicRegister.LogicalDestination or
            (>= ApicRegister.SpuriousVector and <= ApicRegister.ErrorStatus) or
            (>= ApicRegister.LvtCmci and <= ApicRegister.CurrentCount) or ApicRegister.DivideConfiguration;
    }

    /// <summary>Writes a register that both modes have in the same form.</summary>
    private bool TryWrite(ApicRegister register, uint value)
    {
        switch (register)
        {
            case ApicRegister.TaskPriority:
                SetTaskPriority(value);
                return true;
            case ApicRegister.EndOfInterrupt:
                EndOfInterrupt();
                return true;
            case ApicRegister.SpuriousVector:
                WriteSpurious(value);
                return true;
            case ApicRegister.ErrorStatus:
                _errors = Interlocked.Exchange(ref _pendingErrors, 0);
                return true;
            case ApicRegister.LvtCmci or (>= ApicRegister.LvtTimer and <= ApicRegister.LvtError):
                WriteLvt(LvtOf(register), value);
                return true;
            case ApicRegister.InitialCount:
                WriteInitialCount(value);
                return true;
            case ApicRegister.DivideConfiguration:
                WriteDivideConfiguration(value & ApicBits.DivideMask);
                return true;
            default:
                // Read-only registers ignore writes; only what is no register at all is an error.
                return register is
                    ApicRegister.Version or ApicRegister.ArbitrationPriority or ApicRegister.ProcessorPriority or
                    ApicRegister.RemoteRead or ApicRegister.CurrentCount or
                    (>= ApicRegister.InService and < ApicRegister.ErrorStatus);
        }
    }

    private void WriteSpurious(uint value)
    {
        uint allowed = ApicBits.SpuriousMask |
            (_options.HasEoiBroadcastSuppression ? ApicBits.SpuriousSuppressBroadcast : 0);
        bool before = IsSoftwareEnabled;
        Volatile.Write(ref _spurious, value & allowed);
        if (before && !IsSoftwareEnabled)
        {
            PauseTimer();
            foreach (ref uint lvt in _lvt.AsSpan())
            {
                Interlocked.Or(ref lvt, ApicBits.LvtMasked);
            }
        }
        else if (!before && IsSoftwareEnabled)
        {
            ResumeTimer();
        }
    }

    private uint AllowedInLvt(LocalVector local)
    {
        const uint Common = ApicBits.LvtMasked | ApicBits.LvtDeliveryStatus | ApicBits.LvtVector;
        const uint Pin = ApicBits.LvtDeliveryMode | ApicBits.LvtPolarity | ApicBits.LvtRemoteIrr | ApicBits.LvtLevel;
        return Common | local switch
        {
            LocalVector.Timer => _options.TscFrequency > 0 ? ApicBits.LvtTimerModes : ApicBits.LvtTimerPeriodic,
            LocalVector.Error => 0,
            LocalVector.Lint0 or LocalVector.Lint1 => Pin,
            _ => ApicBits.LvtDeliveryMode,
        };
    }

    private void WriteLvt(LocalVector local, uint value)
    {
        uint kept = value & AllowedInLvt(local);
        kept |= IsSoftwareEnabled ? 0 : ApicBits.LvtMasked;
        if (local == LocalVector.Timer)
        {
            WriteTimerLvt(kept);
            return;
        }

        Volatile.Write(ref _lvt[(int)local], kept);
        if (local == LocalVector.Lint0 && HasExternalInterrupt)
        {
            // The line may have been high all the time behind the mask.
            _sink.ExternalInterrupt();
        }
    }

    // SDM volume 3, "Valid Combinations for the Pentium 4, Intel Xeon Processors' Local APIC ICR"; the rest is ignored.
    private void Command(ulong command, uint destination, bool wide)
    {
        uint low = (uint)command;
        DeliveryMode mode = (DeliveryMode)((low >> 8) & 7);
        byte vector = (byte)low;
        bool isLevel = (low & ApicBits.CommandLevel) != 0;
        if (isLevel && (low & ApicBits.CommandAssert) == 0)
        {
            // INIT level de-assert resets arbitration ids, which nothing uses any more.
            return;
        }

        if (mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority && vector < ApicBits.FirstLegalVector)
        {
            RaiseError(ApicBits.ErrorSendIllegal);
            return;
        }

        InterruptMessage message = new(
            destination, mode, vector, (low & ApicBits.CommandLogical) != 0, IsLevel: false, IsWide: wide);
        const int ToDestination = 0;
        const int ToSelf = 1;
        const int ToAll = 2;
        int shorthand = (int)((low >> 18) & 3);
        if (mode is DeliveryMode.Reserved or DeliveryMode.Smi or DeliveryMode.ExternalInterrupt)
        {
            return;
        }

        switch (shorthand)
        {
            case ToDestination:
                _fabric.Deliver(message);
                break;
            case ToSelf when mode == DeliveryMode.Fixed:
                AcceptFixed(vector, level: false);
                break;
            case ToAll when mode == DeliveryMode.Fixed:
                _fabric.DeliverToAll(message, except: null);
                break;
            case not ToSelf and not ToAll:
                _fabric.DeliverToAll(message, except: this);
                break;
            default:
                break;
        }
    }
}
