// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Interrupts;

/// <content>IA32_APIC_BASE, IA32_TSC_DEADLINE and the registers of x2APIC mode.</content>
public sealed partial class LocalApic
{
    /// <summary>IA32_APIC_BASE.</summary>
    public const uint ApicBaseMsr = 0x1b;

    /// <summary>IA32_TSC_DEADLINE; there only when the options give a TSC frequency.</summary>
    public const uint TscDeadlineMsr = 0x6e0;

    /// <summary>The first register of x2APIC mode.</summary>
    public const uint FirstX2ApicMsr = 0x800;

    /// <summary>The last register of x2APIC mode.</summary>
    public const uint LastX2ApicMsr = 0x8ff;

    /// <summary>IA32_APIC_BASE. Owner.</summary>
    public ulong ApicBase => _base;

    private uint DerivedLogicalId => ((_options.Id >> 4) << 16) | (1u << (int)(_options.Id & 15));

    /// <summary>The guest reads an MSR. Owner.</summary>
    /// <param name="index">The MSR.</param>
    /// <param name="value">The value, when handled.</param>
    /// <returns>
    /// Unhandled for MSRs that are not the local APIC's; <c>#GP</c> for a register that does not exist, cannot be read or,
    /// outside x2APIC mode, is not reached this way.
    /// </returns>
    public MsrOutcome ReadMsr(uint index, out ulong value)
    {
        value = 0;
        switch (index)
        {
            case ApicBaseMsr:
                value = _base;
                return MsrOutcome.Handled;
            case TscDeadlineMsr when _options.TscFrequency > 0:
                value = ReadTscDeadline();
                return MsrOutcome.Handled;
            case >= FirstX2ApicMsr and <= LastX2ApicMsr:
                return Mode == ApicMode.X2Apic && TryReadX2((ApicRegister)(index - FirstX2ApicMsr), out value)
                    ? MsrOutcome.Handled
                    : MsrOutcome.GeneralProtection;
            default:
                return MsrOutcome.Unhandled;
        }
    }

    /// <summary>The guest writes an MSR. Owner.</summary>
    /// <param name="index">The MSR.</param>
    /// <param name="value">The value.</param>
    /// <returns>As <see cref="ReadMsr"/>; <c>#GP</c> also for values that the register cannot take.</returns>
    public MsrOutcome WriteMsr(uint index, ulong value)
    {
        bool taken;
        switch (index)
        {
            case ApicBaseMsr:
                taken = TryWriteBase(value);
                break;
            case TscDeadlineMsr when _options.TscFrequency > 0:
                WriteTscDeadline(value);
                taken = true;
                break;
            case >= FirstX2ApicMsr and <= LastX2ApicMsr:
                taken = Mode == ApicMode.X2Apic && TryWriteX2((ApicRegister)(index - FirstX2ApicMsr), value);
                break;
            default:
                return MsrOutcome.Unhandled;
        }

        return taken ? MsrOutcome.Handled : MsrOutcome.GeneralProtection;
    }

    private bool TryReadX2(ApicRegister register, out ulong value)
    {
        value = 0;
        switch (register)
        {
            case ApicRegister.Id:
                value = _options.Id;
                return true;
            case ApicRegister.LogicalDestination:
                value = DerivedLogicalId;
                return true;
            case ApicRegister.CommandLow:
                value = _command;
                return true;
            case ApicRegister.ArbitrationPriority or ApicRegister.EndOfInterrupt or ApicRegister.RemoteRead or
                ApicRegister.DestinationFormat or ApicRegister.CommandHigh or ApicRegister.SelfIpi:
                return false;
            default:
                bool exists = TryRead(register, out uint low);
                value = low;
                return exists;
        }
    }

    private bool TryWriteX2(ApicRegister register, ulong value)
    {
        if (register == ApicRegister.CommandLow)
        {
            return TryCommandX2(value);
        }

        if (value > uint.MaxValue)
        {
            return false;
        }

        switch (register)
        {
            case ApicRegister.EndOfInterrupt or ApicRegister.ErrorStatus when value != 0:
                return false;
            case ApicRegister.SelfIpi:
                return TrySelfIpi(value);
            case ApicRegister.TaskPriority or ApicRegister.EndOfInterrupt or ApicRegister.SpuriousVector or
                ApicRegister.ErrorStatus or ApicRegister.LvtCmci or ApicRegister.InitialCount or
                ApicRegister.DivideConfiguration or (>= ApicRegister.LvtTimer and <= ApicRegister.LvtError):
                return TryWrite(register, (uint)value);
            default:
                return false;
        }
    }

    private bool TryCommandX2(ulong value)
    {
        if ((value & ApicBits.CommandReserved) != 0)
        {
            return false;
        }

        _command = value & ~(ulong)ApicBits.CommandBusy;
        Command(_command, (uint)(_command >> 32), wide: true);
        return true;
    }

    private bool TrySelfIpi(ulong value)
    {
        if (value > byte.MaxValue)
        {
            return false;
        }

        if (value < ApicBits.FirstLegalVector)
        {
            RaiseError(ApicBits.ErrorSendIllegal);
        }
        else
        {
            AcceptFixed((byte)value, level: false);
        }

        return true;
    }

    // SDM volume 3, "x2APIC State Transitions": a mode is left and entered only along the arrows.
    private bool TryWriteBase(ulong value)
    {
        ulong changed = value ^ _base;
        ulong frozen = _options.BasePolicy switch
        {
            ApicBasePolicy.EnableOnly => ~ApicBits.BaseEnable,
            ApicBasePolicy.ModeChanges => ~(ApicBits.BaseEnable | ApicBits.BaseX2Apic),
            _ => 0,
        };
        if ((value & _baseReserved) != 0 || (changed & frozen) != 0)
        {
            return false;
        }

        const ulong ModeBits = ApicBits.BaseEnable | ApicBits.BaseX2Apic;
        ApicMode before = Mode;
        bool impossible = (value & ModeBits) == ApicBits.BaseX2Apic;
        ApicMode after = ModeOf(value);
        bool forbidden = (before, after) is (ApicMode.X2Apic, ApicMode.XApic) or (ApicMode.Disabled, ApicMode.X2Apic);
        if (impossible || forbidden)
        {
            return false;
        }

        SetBase(value);
        return true;
    }
}
