// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;

namespace Vmm.Engine.Msr;

/// <summary>
/// Decides for each register that the engine could keep whether it does, or the hypervisor. Any thread: whoever asks first asks
/// the hypervisor, and all vCPUs of a VM get the same answer. An access that the hypervisor hands over tells more than it does when
/// it is asked: KVM shows a VM's owner zeros for registers that it refuses the guest.
/// </summary>
/// <param name="filter">Which registers the hypervisor may handle; all when null.</param>
internal sealed class MsrOwners(MsrFilter? filter)
{
    private readonly byte[] _owners = new byte[MsrRegistry.All.Length];

    private enum Owner : byte
    {
        NotAsked = 0,
        Engine,
        Hypervisor,
    }

    /// <summary>
    /// Whether the engine keeps a register: one of its own layer that the hypervisor does not have, or may handle neither way. With
    /// one way left to the hypervisor its value is the one that counts. Time is always the hypervisor's where it has it, because
    /// RDTSC shows it too.
    /// </summary>
    /// <param name="backend">A vCPU of the VM; the caller owns it.</param>
    /// <param name="index">The register.</param>
    public bool IsEngines(IBackendVcpu backend, MsrIndex index)
    {
        int number = MsrRegistry.NumberOf(index);
        if (number < 0)
        {
            return false;
        }

        Owner owner = (Owner)Volatile.Read(ref _owners[number]);
        if (owner == Owner.NotAsked)
        {
            owner = Decide(backend, MsrRegistry.All[number]);
            Volatile.Write(ref _owners[number], (byte)owner);
        }

        return owner == Owner.Engine;
    }

    /// <summary>Notes that the engine has answered the guest for a register: the hypervisor does not.</summary>
    /// <param name="index">The register, one of the engine's layer.</param>
    public void NoteEngines(MsrIndex index) =>
        Volatile.Write(ref _owners[MsrRegistry.NumberOf(index)], (byte)Owner.Engine);

    private Owner Decide(IBackendVcpu backend, in MsrDescription description)
    {
        if (description.Layer != MsrLayer.Ours)
        {
            return Owner.Hypervisor;
        }

        bool isKeptFrom = filter is not null
            && !filter.Allows(description.Index, isWrite: false)
            && !filter.Allows(description.Index, isWrite: true);
        bool isTime = description.Rule is MsrRule.Tsc or MsrRule.TscAdjust;
        return (isKeptFrom && !isTime) || !Has(backend, description) ? Owner.Engine : Owner.Hypervisor;
    }

    /// <summary>Where the register reads zero and should not, whether it takes the value that it should have.</summary>
    private static bool Has(IBackendVcpu backend, in MsrDescription description)
    {
        if (!backend.TryGetMsr(description.Index, out ulong value))
        {
            return false;
        }

        bool isDoubtful = value == 0 && description.Reset != 0;
        return !isDoubtful || (backend.TrySetMsr(description.Index, description.Reset) && backend.TrySetMsr(description.Index, 0));
    }
}
