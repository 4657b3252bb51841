// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Engine.State;

/// <summary>The class VMM_ARCH of a VM whose vCPUs are frozen: where its time and its time-stamp counters began, and their rate.</summary>
internal sealed class TimeData(VirtualMachine machine, VmmDataVersionEntry entry) : FieldData(entry)
{
    private const uint TscBootOffset = 1;
    private const uint BootTime = 2;
    private const uint TscFrequency = 3;

    private static readonly uint[] s_listed = [TscBootOffset, BootTime, TscFrequency];

    /// <inheritdoc/>
    protected override IReadOnlyList<uint> Listed => s_listed;

    /// <inheritdoc/>
    protected override bool TryGet(uint number, out ulong value)
    {
        ulong? found = number switch
        {
            TscBootOffset => machine.FindBootTscOffset(machine.GetVcpu(default)),
            BootTime => (ulong)machine.Time.BootTimestamp,
            TscFrequency => machine.TscFrequency is not 0 and var hertz ? (ulong)hertz : null,
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    /// <inheritdoc/>
    protected override VmmError Check(uint number, ulong value)
    {
        if (number == TscFrequency)
        {
            return VmmError.EPERM;
        }

        if (!TryGet(number, out ulong present))
        {
            return VmmError.EINVAL;
        }

        if (value == present)
        {
            return VmmError.None;
        }

        return number == TscBootOffset
            ? machine.GetVcpu(default).TakesTscOffset ? VmmError.None : VmmError.ENOTSUP
            : machine.Time.CheckBoot((long)value);
    }

    /// <inheritdoc/>
    protected override VmmError Set(uint number, ulong value)
    {
        if (number == BootTime)
        {
            machine.Time.MoveBoot((long)value);
            return VmmError.None;
        }

        return machine.TryMoveBootTsc(value) ? VmmError.None : VmmError.ENOTSUP;
    }
}
