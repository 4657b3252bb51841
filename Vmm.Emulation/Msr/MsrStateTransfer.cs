// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>Saves and restores a vCPU's registers in an order that works. Holds nothing.</summary>
public static class MsrStateTransfer
{
    /// <summary>Puts registers in the order in which they are restored, without those that are never saved.</summary>
    /// <param name="registers">The registers, in any order; doubles are dropped.</param>
    /// <returns>The registers: the time stamp counter first, then by <see cref="MsrSaveOrder"/>, unknown ones as plain.</returns>
    public static ImmutableArray<MsrIndex> Order(IEnumerable<MsrIndex> registers) =>
    [
        .. registers.Distinct().Where(index => OrderOf(index) != MsrSaveOrder.Never)
            .OrderBy(index => (int)OrderOf(index)).ThenBy(index => index.Value),
    ];

    /// <summary>Saves registers.</summary>
    /// <param name="source">Where they are; its vCPU does not run.</param>
    /// <param name="registers">Which, in any order.</param>
    /// <param name="refused">Receives those that cannot be read.</param>
    /// <returns>The values, in the order in which they are restored.</returns>
    public static ImmutableArray<MsrEntry> Save(IMsrTarget source, IEnumerable<MsrIndex> registers, ICollection<MsrRefusal> refused)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(refused);
        ImmutableArray<MsrEntry>.Builder saved = ImmutableArray.CreateBuilder<MsrEntry>();
        foreach (MsrIndex index in Order(registers))
        {
            if (source.TryGetMsr(index, out ulong value))
            {
                saved.Add(new MsrEntry(index, value));
            }
            else
            {
                refused.Add(new MsrRefusal(index, 0, "the hypervisor does not read it on this vCPU"));
            }
        }

        return saved.ToImmutable();
    }

    /// <summary>Restores registers, one part of them.</summary>
    /// <param name="target">Where they go; its CPUID is set and its vCPU does not run.</param>
    /// <param name="entries">The values, in any order; of both parts.</param>
    /// <param name="phase">Which part.</param>
    /// <param name="policy">Which refusals end it.</param>
    /// <returns>The registers that were refused, or that read back as something else; those that are tolerated.</returns>
    /// <exception cref="VmmException">EINVAL: a register was refused that the policy does not tolerate; all of the part were tried.</exception>
    public static ImmutableArray<MsrRefusal> Restore(
        IMsrTarget target, ReadOnlySpan<MsrEntry> entries, MsrRestorePhase phase, MsrRestorePolicy policy)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(policy);
        List<MsrRefusal> refused = [];
        foreach (MsrEntry entry in entries.ToArray().Where(entry => PhaseOf(entry.Index) == phase).OrderBy(entry => (int)OrderOf(entry.Index)))
        {
            if (TryRestore(target, entry) is { } reason)
            {
                refused.Add(new MsrRefusal(entry.Index, entry.Value, reason));
            }
        }

        List<MsrRefusal> fatal = [.. refused.Where(refusal => policy.Ends(refusal.Index))];
        return fatal.Count == 0
            ? [.. refused]
            : throw new VmmException("MsrStateTransfer.Restore", VmmError.EINVAL, string.Join("; ", fatal));
    }

    private static MsrRestorePhase? PhaseOf(MsrIndex index) => OrderOf(index) switch
    {
        MsrSaveOrder.Never => null,
        MsrSaveOrder.AfterApic => MsrRestorePhase.AfterLocalApic,
        _ => MsrRestorePhase.BeforeLocalApic,
    };

    private static MsrSaveOrder OrderOf(MsrIndex index) =>
        MsrRegistry.TryFind(index, out MsrDescription description) ? description.Save : MsrSaveOrder.Plain;

    private static string? TryRestore(IMsrTarget target, MsrEntry entry)
    {
        bool isKnown = MsrRegistry.TryFind(entry.Index, out MsrDescription description);
        if (!target.TrySetMsr(entry.Index, entry.Value))
        {
            return Explain(target, entry, isKnown, description);
        }

        if (isKnown && description.Rule == MsrRule.Tsc)
        {
            // It counts on from what was written, or from where another vCPU's is whose write it was taken to repeat: minutes at most.
            const ulong MostTicks = 1ul << 40;
            return target.TryGetMsr(entry.Index, out ulong count) && unchecked(count - entry.Value + MostTicks) > 2 * MostTicks
                ? $"it was accepted, but the counter goes on at 0x{count:x}: the host does not take an offset"
                : null;
        }

        // What moves with time, or is a command, does not read back.
        bool isSteady = !isKnown || (description.Sensitivity != MsrSensitivity.Time && description.Rule != MsrRule.Command);
        return isSteady && target.TryGetMsr(entry.Index, out ulong value) && value != entry.Value
            ? "it was accepted, but reads back as something else"
            : null;
    }

    /// <summary>Why a register was refused; null when it has the value already, which KVM refuses of some to be told again.</summary>
    private static string? Explain(IMsrTarget target, MsrEntry entry, bool isKnown, in MsrDescription description)
    {
        const int Widest = 57;
        const int WidestPhysical = 52;
        if (!target.TryGetMsr(entry.Index, out ulong current))
        {
            return description.Features is { Length: > 0 } features
                ? $"it does not exist on this vCPU; it comes with {string.Join(" or ", features.Split(' '))}"
                : "it does not exist on this vCPU";
        }

        if (current == entry.Value)
        {
            return null;
        }

        return (isKnown ? MsrChecks.FindFault(description, entry.Value, Widest, WidestPhysical) : null)
            ?? $"the hypervisor refused the value; it has 0x{current:x}";
    }
}
