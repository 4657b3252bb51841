// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Interrupts;
using Vmm.Engine.Chips;

namespace Vmm.Engine;

/// <content>The vCPU's local APIC, where it is the hypervisor's.</content>
public sealed partial class VirtualCpu
{
    private const int NmiPin = 1;

    private LevelWatch? _heldVectorsWanted;
    private bool _nmiPinRaised;

    /// <summary>Whether the hypervisor has this vCPU. Any thread.</summary>
    internal bool HasBackend => Volatile.Read(ref _backend) is not null;

    /// <summary>What the local APIC has requested or in service. Owner.</summary>
    internal VectorBits ReadHeldVectors()
    {
        Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
        ReadLocalApicPage(page);
        return LocalApicImage.ReadHeldVectors(page);
    }

    /// <summary>Reads the registers. Owner.</summary>
    internal IBackendVcpu ReadLocalApicPage(Span<byte> page)
    {
        IBackendVcpu backend = Backend;
        ((IBackendLocalApic)backend).ReadLocalApic(page);
        return backend;
    }

    /// <summary>
    /// Asks for what the local APIC has requested or in service: answered here when nobody owns the vCPU, by its thread when it is in the
    /// guest, and not at all while somebody else owns it. Any thread; does not wait.
    /// </summary>
    internal void AskForHeldVectors(LevelWatch watch)
    {
        Volatile.Write(ref _heldVectorsWanted, watch);
        if (TryTakeOwnership())
        {
            try
            {
                AnswerHeldVectors();
            }
            finally
            {
                GiveOwnershipBack();
            }
        }
        else
        {
            NotifyByChip();
        }
    }

    /// <summary>Answers whoever has asked. Owner.</summary>
    private void AnswerHeldVectors()
    {
        if (Volatile.Read(ref _heldVectorsWanted) is not null
            && Interlocked.Exchange(ref _heldVectorsWanted, null) is { } watch
            && HasBackend)
        {
            watch.Answer(Id, ReadHeldVectors());
        }
    }

    /// <summary>
    /// Raises local interrupt 1. Where the local APIC is the hypervisor's, whose entry only the vCPU's owner can read, the vCPU's thread does it
    /// on its way into the guest. A processor that waits to be started does not hear it. Any thread; does not wait.
    /// </summary>
    internal void RaiseNmiPin()
    {
        if (!_machine.HasLocalApics)
        {
            Volatile.Write(ref _nmiPinRaised, true);
            NotifyByChip();
        }
        else if ((GetRunState(out _) & VcpuRunState.Run) != 0)
        {
            _machine.Chips?.FindLocalApic(Id)?.SetLocalInterrupt(NmiPin);
        }
    }

    /// <summary>Looks at the entry of local interrupt 1, if it was raised. Owner.</summary>
    private void AnswerNmiPin(IBackendVcpu backend)
    {
        if (Volatile.Read(ref _nmiPinRaised)
            && Interlocked.Exchange(ref _nmiPinRaised, false)
            && backend.Activity is BackendActivity.Runnable or BackendActivity.Halted)
        {
            // An entry that asks for an external interrupt gets none: this pin has no 8259 behind it.
            _ = new HypervisorLocalApic(this, _machine.Time, (IBackendInterrupts)_machine.BackendVm).TrySetLocalInterrupt(NmiPin);
        }
    }
}
