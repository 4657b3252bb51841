// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;
using Vmm.Engine.Msr;

namespace Vmm.Engine;

/// <content>Saving and restoring model-specific registers.</content>
public sealed partial class VirtualCpu
{
    /// <summary>
    /// The registers that make up the vCPU's state, in the order in which they are restored: those that the hypervisor lists, and
    /// those of the engine's layer, whoever keeps them: KVM lists neither memory types nor machine check. Registers of the embedder's
    /// handlers are not among them. Needs ownership.
    /// </summary>
    public ImmutableArray<MsrIndex> StateMsrs
    {
        get
        {
            using IDisposable owned = Acquire();
            IEnumerable<MsrIndex> unlisted = MsrRegistry.All.Where(description => description.Layer == MsrLayer.Ours)
                .Select(description => description.Index).Where(index => TryGetMsrOwned(Backend, index, out _));
            return MsrStateTransfer.Order(_machine.HypervisorBackend.GetSupportedMsrs().Concat(unlisted));
        }
    }

    /// <summary>Saves registers. Needs ownership; nothing may be pending.</summary>
    /// <param name="registers">Which, in any order; <see cref="StateMsrs"/> are all of them.</param>
    /// <param name="refused">Receives those that cannot be read, with the reason.</param>
    /// <returns>The values, in the order in which they are restored.</returns>
    public ImmutableArray<MsrEntry> SaveMsrs(IEnumerable<MsrIndex> registers, ICollection<MsrRefusal> refused)
    {
        ArgumentNullException.ThrowIfNull(refused);
        using IDisposable owned = Acquire();
        List<MsrRefusal> left = [];
        ImmutableArray<MsrEntry> saved = MsrStateTransfer.Save(new VcpuMsrTarget(this), registers, left);
        foreach (MsrRefusal refusal in left)
        {
            EngineLog.MsrNotSaved(_machine.Log, _machine.Name, Id, refusal);
            refused.Add(refusal);
        }

        return saved;
    }

    /// <summary>
    /// Restores registers, one part of them: CPUID comes before both parts, the local APIC's state between them. Needs ownership;
    /// nothing may be pending.
    /// </summary>
    /// <param name="entries">The values, in any order; of both parts.</param>
    /// <param name="phase">Which part.</param>
    /// <param name="policy">Which refusals end it.</param>
    /// <returns>The registers that were refused, or that read back as something else, with value and reason; those that are tolerated.</returns>
    /// <exception cref="VmmException">EINVAL: a register was refused that the policy does not tolerate; all of the part were tried.</exception>
    public ImmutableArray<MsrRefusal> RestoreMsrs(ReadOnlySpan<MsrEntry> entries, MsrRestorePhase phase, MsrRestorePolicy policy)
    {
        using IDisposable owned = Acquire();
        ImmutableArray<MsrRefusal> refused = MsrStateTransfer.Restore(new VcpuMsrTarget(this), entries, phase, policy);
        foreach (MsrRefusal refusal in refused)
        {
            EngineLog.MsrNotRestored(_machine.Log, _machine.Name, Id, refusal);
        }

        return refused;
    }
}
