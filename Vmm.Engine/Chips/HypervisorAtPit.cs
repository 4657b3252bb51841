// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.State;
using Vmm.Emulation.Timers;
using Vmm.Engine.Time;

namespace Vmm.Engine.Chips;

/// <summary>
/// The 8254 that the hypervisor has, which runs on the host's time. Any thread; its state is best read and written while no vCPU runs.
/// </summary>
internal sealed class HypervisorAtPit(VirtualTime time, IBackendChips chips) : IAtPit
{
    /// <inheritdoc/>
    public long Frequency => Scratch().Frequency;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry => Scratch().Entry;

    /// <summary>Takes the state.</summary>
    public AtPitState Save() => AtPitImage.Read(chips.Read8254(), time.Now, HostClock.Now);

    /// <summary>Puts a state back. The counters begin their counts anew.</summary>
    public void Restore(in AtPitState state)
    {
        Scratch().Restore(state);
        chips.Write8254(AtPitImage.Write(state, HostClock.Now));
    }

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        AtPit scratch = Scratch();
        scratch.Restore(Save());
        return scratch.Read(request);
    }

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request)
    {
        AtPit scratch = Scratch();
        scratch.Restore(Save());
        VmmDataResult result = scratch.Write(request);
        if (result.Error == VmmError.None)
        {
            Restore(scratch.Save());
        }

        return result;
    }

    // The checks and the layout are those of the engine's own chip, standing still at the VM's time.
    private AtPit Scratch()
    {
        ManualClock clock = new(now: time.Now);
        return new AtPit(clock, clock.Deadlines, Unconnected.Instance);
    }

    private sealed class Unconnected : IInterruptLine
    {
        public static readonly Unconnected Instance = new();

        public void SetLevel(bool asserted)
        {
            // The output of a chip that only holds state goes nowhere.
        }
    }
}
