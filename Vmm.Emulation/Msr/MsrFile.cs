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
    private const uint FirstSecondControl = 0x280;
    private const uint LastSecondControl = 0x29f;
    private const uint ExtendedMachineControl = 0x4d0;
    private const ulong ControlPresent = 1 << 8;

    private readonly MsrFileOptions _options;
    private readonly Register[] _registers = new Register[MsrRegistry.All.Length];
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
        for (int number = 0; number < _registers.Length; number++)
        {
            ref readonly MsrDescription description = ref MsrRegistry.All.ItemRef(number);
            _registers[number] = new Register
            {
                Access = AccessOf(description, definition, vendor),
                Rule = description.Rule,
                Writable = WritableOf(description),
                IsMasked = IsMasked(description.Rule),
            };
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

    /// <summary>What an access needs, side by side.</summary>
    private struct Register
    {
        public ulong Value;
        public ulong Writable;
        public MsrRule Rule;
        public Access Access;

        /// <summary>Whether a write keeps its value if no bit is outside <see cref="Writable"/>, and faults otherwise.</summary>
        public bool IsMasked;
    }

    /// <summary>The guest's TSC less the host's, in the guest's ticks, wrapping.</summary>
    public ulong TscOffset { get; set; }

    /// <summary>Whether the guest has CR0.PG set, on which IA32_EFER depends.</summary>
    public bool IsPaging { get; set; }

    /// <summary>Puts every register to its value after reset. The TSC goes on counting; its offset stays.</summary>
    public void Reset()
    {
        for (int number = 0; number < _registers.Length; number++)
        {
            _registers[number].Value = ResetValueOf(MsrRegistry.All.ItemRef(number));
        }

        foreach (MsrEntry entry in _options.Initial)
        {
            if (MsrRegistry.NumberOf(entry.Index) is var number and >= 0)
            {
                _registers[number].Value = entry.Value;
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
        if (number < 0)
        {
            return MsrOutcome.Unhandled;
        }

        ref Register register = ref _registers[number];
        if (register.Access != Access.Here)
        {
            return register.Access == Access.Absent ? MsrOutcome.GeneralProtection : MsrOutcome.Unhandled;
        }

        switch (register.Rule)
        {
            case MsrRule.Command:
                return MsrOutcome.GeneralProtection;
            case MsrRule.WriteIgnored:
                return MsrOutcome.Unhandled;
            case MsrRule.Tsc:
                value = unchecked(hostTsc + TscOffset);
                return MsrOutcome.Handled;
            default:
                value = register.Value;
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
        if (number < 0)
        {
            return MsrOutcome.Unhandled;
        }

        ref Register register = ref _registers[number];
        return register.Access switch
        {
            Access.Here => WriteServed(ref register, value, hostTsc),
            Access.Absent => MsrOutcome.GeneralProtection,
            _ => MsrOutcome.Unhandled,
        };
    }

    /// <summary>Reads a register for a transfer of state.</summary>
    /// <param name="index">The register.</param>
    /// <param name="hostTsc">The host's TSC now, in the guest's ticks.</param>
    /// <param name="value">The value; 0 without the register.</param>
    /// <returns>Whether it is served here.</returns>
    public bool TrySave(MsrIndex index, ulong hostTsc, out ulong value) =>
        Read(index, hostTsc, out value) == MsrOutcome.Handled;

    /// <summary>
    /// Writes a register for a transfer of state: one that a guest may only clear takes any value, and one that it cannot write the
    /// value that it has.
    /// </summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <param name="hostTsc">The host's TSC now, in the guest's ticks.</param>
    /// <returns>Whether it is served here and takes the value.</returns>
    public bool TryRestore(MsrIndex index, ulong value, ulong hostTsc)
    {
        int number = MsrRegistry.NumberOf(index);
        if (number < 0 || _registers[number].Access != Access.Here)
        {
            return false;
        }

        ref Register register = ref _registers[number];
        switch (register.Rule)
        {
            case MsrRule.BankZero or MsrRule.MiscEnable or MsrRule.TscAdjust:
                register.Value = value;
                return true;
            case MsrRule.Tsc:
                TscOffset = unchecked(value - hostTsc);
                return true;
            case MsrRule.FeatureControl:
                bool isAccepted = (value & ~register.Writable) == 0;
                register.Value = isAccepted ? value : register.Value;
                return isAccepted;
            case MsrRule.ReadOnly or MsrRule.Constant or MsrRule.Ignored or MsrRule.Chip:
                return value == register.Value;
            default:
                return WriteServed(ref register, value, hostTsc) == MsrOutcome.Handled;
        }
    }

    private MsrOutcome WriteServed(ref Register register, ulong value, ulong hostTsc)
    {
        ref ulong current = ref register.Value;
        if (register.IsMasked)
        {
            return (value & ~register.Writable) == 0 ? Keep(ref current, value) : MsrOutcome.GeneralProtection;
        }

        switch (register.Rule)
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
                _registers[_tscAdjust].Value = unchecked(_registers[_tscAdjust].Value + moved);
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
            case MsrRule.Command:
                return (value & ~register.Writable) == 0 ? MsrOutcome.Handled : MsrOutcome.GeneralProtection;
            default:
                return MsrChecks.Accepts(register.Rule, register.Writable, value, _linearBits, _physicalBits)
                    ? Keep(ref current, value)
                    : MsrOutcome.GeneralProtection;
        }
    }

    private static bool IsMasked(MsrRule rule) => rule is MsrRule.Any or MsrRule.Reserved or MsrRule.MtrrMask or MsrRule.BankZero
        or MsrRule.PvArea or MsrRule.PvClock or MsrRule.PvEoi or MsrRule.AsyncFault or MsrRule.StealTime or MsrRule.State
        or MsrRule.Supervisor;

    private static MsrOutcome Keep(ref ulong register, ulong value)
    {
        register = value;
        return MsrOutcome.Handled;
    }

    private ulong WritableOf(in MsrDescription description) => description.Rule switch
    {
        MsrRule.State => _userStates,
        MsrRule.Supervisor => _supervisorStates,
        _ => MsrChecks.MaskOf(description.Rule, description.Writable, _physicalBits),
    };

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

        // IA32_MCG_CAP announces neither: bit 10 the banks' second controls, bit 27 the extended control (volume 3, IA32_MCG_CAP MSR).
        if (description.Number is ExtendedMachineControl or (>= FirstSecondControl and <= LastSecondControl))
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
