// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Msr;

/// <summary>
/// The model-specific registers of one vCPU that this engine keeps itself. For the vCPU's thread alone. Accesses do not
/// allocate and do not throw, whatever the guest asks for.
/// </summary>
public sealed class MsrFile
{
    private const uint FirstBank = 0x400;
    private const ulong ControlPresent = 1 << 8;

    private readonly MsrFileOptions _options;
    private readonly ulong[] _values = new ulong[MsrRegistry.All.Length];
    private readonly Access[] _access = new Access[MsrRegistry.All.Length];
    private readonly int _linearBits;
    private readonly int _physicalBits;
    private readonly ulong _eferCapabilities;
    private readonly ulong _userStates;
    private readonly ulong _supervisorStates;
    private readonly int _tscAdjust;

    /// <summary>Makes the registers of a vCPU after reset.</summary>
    /// <param name="options">What they depend on.</param>
    /// <exception cref="ArgumentOutOfRangeException">More than 32 banks of machine check, or fewer than none.</exception>
    public MsrFile(MsrFileOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(options.MachineCheckBanks);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MachineCheckBanks, MsrFileOptions.MaximumBanks);
        _options = options;
        CpuDefinition? definition = options.Definition;
        _linearBits = definition is null || definition.Has("la57") ? 57 : 48;
        _physicalBits = definition?.PhysicalAddressBits ?? 52;
        _userStates = definition?.UserStates ?? ulong.MaxValue;
        _supervisorStates = definition?.SupervisorStates ?? ulong.MaxValue;
        _eferCapabilities = Bit("nx", 11) | Bit("svm", 12) | Bit("fxsr_opt", 14) | Bit("tce", 15);
        _tscAdjust = MsrRegistry.NumberOf(new MsrIndex(0x3b));
        CpuVendor vendor = definition?.Vendor ?? CpuVendor.Unknown;
        for (int number = 0; number < _access.Length; number++)
        {
            _access[number] = AccessOf(MsrRegistry.All[number], definition, vendor);
        }

        Reset();

        ulong Bit(string feature, int bit) => definition is null || definition.Has(feature) ? 1UL << bit : 0;
    }

    private enum Access : byte
    {
        Elsewhere = 0,
        Absent,
        Here,
    }

    /// <summary>The guest's TSC less the host's, in the guest's ticks, wrapping.</summary>
    public ulong TscOffset { get; set; }

    /// <summary>Whether the guest has CR0.PG set, on which IA32_EFER depends.</summary>
    public bool IsPaging { get; set; }

    /// <summary>Puts every register to its value after reset. The TSC goes on counting; its offset stays.</summary>
    public void Reset()
    {
        for (int number = 0; number < _values.Length; number++)
        {
            _values[number] = ResetValueOf(MsrRegistry.All[number]);
        }

        foreach (MsrEntry entry in _options.Initial)
        {
            if (MsrRegistry.NumberOf(entry.Index) is var number and >= 0)
            {
                _values[number] = entry.Value;
            }
        }
    }

    /// <summary>Reads a register as RDMSR does.</summary>
    /// <param name="index">The register.</param>
    /// <param name="hostTsc">The host's TSC now, in the guest's ticks.</param>
    /// <param name="value">The value; 0 unless handled.</param>
    /// <returns>How it ended; unhandled for what belongs to another layer.</returns>
    public MsrOutcome Read(MsrIndex index, ulong hostTsc, out ulong value)
    {
        value = 0;
        int number = MsrRegistry.NumberOf(index);
        if (number < 0 || _access[number] == Access.Elsewhere)
        {
            return MsrOutcome.Unhandled;
        }

        if (_access[number] == Access.Absent)
        {
            return MsrOutcome.GeneralProtection;
        }

        switch (MsrRegistry.All[number].Rule)
        {
            case MsrRule.Command:
                return MsrOutcome.GeneralProtection;
            case MsrRule.WriteIgnored:
                return MsrOutcome.Unhandled;
            case MsrRule.Tsc:
                value = unchecked(hostTsc + TscOffset);
                return MsrOutcome.Handled;
            default:
                value = _values[number];
                return MsrOutcome.Handled;
        }
    }

    /// <summary>Writes a register as WRMSR does.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <param name="hostTsc">The host's TSC now, in the guest's ticks.</param>
    /// <returns>How it ended; unhandled for what belongs to another layer.</returns>
    public MsrOutcome Write(MsrIndex index, ulong value, ulong hostTsc)
    {
        int number = MsrRegistry.NumberOf(index);
        if (number < 0 || _access[number] == Access.Elsewhere)
        {
            return MsrOutcome.Unhandled;
        }

        return _access[number] == Access.Absent
            ? MsrOutcome.GeneralProtection
            : WriteServed(number, MsrRegistry.All.ItemRef(number), value, hostTsc);
    }

    private MsrOutcome WriteServed(int number, in MsrDescription description, ulong value, ulong hostTsc)
    {
        ref ulong current = ref _values[number];
        switch (description.Rule)
        {
            case MsrRule.Ignored or MsrRule.WriteIgnored:
                return MsrOutcome.Handled;
            case MsrRule.Constant or MsrRule.Chip:
                return MsrOutcome.Unhandled;
            case MsrRule.MachineStatus when _options.MachineCheckBanks == 0:
                return MsrOutcome.Handled;
            case MsrRule.Tsc:
                ulong moved = unchecked(value - (hostTsc + TscOffset));
                TscOffset = unchecked(TscOffset + moved);
                _values[_tscAdjust] = unchecked(_values[_tscAdjust] + moved);
                return MsrOutcome.Handled;
            case MsrRule.TscAdjust:
                TscOffset = unchecked(TscOffset + (value - current));
                current = value;
                return MsrOutcome.Handled;
            case MsrRule.MiscEnable:
                const ulong ExecuteDisable = 1UL << 34;
                return ((value ^ current) & ~ExecuteDisable) == 0 ? MsrOutcome.Handled : MsrOutcome.Unhandled;
            case MsrRule.FeatureControl when (current & 1) != 0:
                return MsrOutcome.GeneralProtection;
            case MsrRule.Efer:
                return MsrChecks.TryWriteEfer(current, value, IsPaging, _eferCapabilities, out ulong efer)
                    ? Keep(ref current, efer)
                    : MsrOutcome.GeneralProtection;
            case MsrRule.State:
                return (value & ~_userStates) == 0 ? Keep(ref current, value) : MsrOutcome.GeneralProtection;
            case MsrRule.Supervisor:
                return (value & ~_supervisorStates) == 0 ? Keep(ref current, value) : MsrOutcome.GeneralProtection;
            case MsrRule.Command:
                return (value & ~description.Writable) == 0 ? MsrOutcome.Handled : MsrOutcome.GeneralProtection;
            default:
                return MsrChecks.IsAccepted(description, value, _linearBits, _physicalBits)
                    ? Keep(ref current, value)
                    : MsrOutcome.GeneralProtection;
        }
    }

    private static MsrOutcome Keep(ref ulong register, ulong value)
    {
        register = value;
        return MsrOutcome.Handled;
    }

    private Access AccessOf(in MsrDescription description, CpuDefinition? definition, CpuVendor vendor)
    {
        bool isServed = description.Layer == MsrLayer.Ours
            || (description.Layer == MsrLayer.Hypervisor && _options.ServesHypervisorLayer);
        if (!isServed || (description.Vendor != CpuVendor.Unknown && vendor != CpuVendor.Unknown && description.Vendor != vendor))
        {
            return Access.Elsewhere;
        }

        bool isBank = description.Rule is MsrRule.BankControl or MsrRule.BankZero;
        if ((isBank && (description.Number - FirstBank) / 4 >= _options.MachineCheckBanks)
            || (description.Rule == MsrRule.MachineControl && _options.MachineCheckBanks == 0))
        {
            return Access.Absent;
        }

        return definition is null || description.Features.Length == 0 || description.Features.Split(' ').Any(definition.Has)
            ? Access.Here
            : Access.Absent;
    }

    private ulong ResetValueOf(in MsrDescription description)
    {
        ulong ratio = _options.TscFrequency / 100_000_000 & 0xff;
        const ulong EveryByte = 0x0101_0101_0101_0101;
        return description.Number switch
        {
            0xce => ratio << 8 | ratio << 40,
            0x1ad or 0x1ae => ratio * EveryByte,
            0x179 => _options.MachineCheckBanks == 0 ? 0 : (ulong)_options.MachineCheckBanks | ControlPresent,
            0x17b => ulong.MaxValue,
            0x1a0 => (_options.HostMiscEnable | 1 << 11 | 1 << 12) & ~(1UL << 16 | 1UL << 18),
            0xc001_1029 => _options.IsLfenceSerializing ? 2UL : 0,
            _ => description.Reset,
        };
    }
}
