// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.State;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine.Chips;

/// <summary>The 8259 pair that the hypervisor has. Any thread; its state is best read and written while no vCPU runs.</summary>
internal sealed class HypervisorAtPic(HypervisorLines lines, IBackendChips chips) : IAtPic
{
    private const int CascadeRequest = 2;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry => Scratch().Entry;

    /// <inheritdoc/>
    public void AssertIrq(int irq) => lines.DriveRequest(Check(irq, "vatpic_assert_irq"), asserted: true);

    /// <inheritdoc/>
    public void DeassertIrq(int irq) => lines.DriveRequest(Check(irq, "vatpic_deassert_irq"), asserted: false);

    /// <inheritdoc/>
    public void PulseIrq(int irq) => lines.PulseRequest(Check(irq, "vatpic_pulse_irq"));

    /// <inheritdoc/>
    public void SetTrigger(int irq, bool level)
    {
        AtPic scratch = Scratch();
        scratch.SetTrigger(irq, level);
        bool isSlave = irq >= 8;
        Backend8259 state = chips.Read8259(isSlave);
        byte bit = (byte)(1 << (irq & 7));
        chips.Write8259(isSlave, state with
        {
            LevelTriggered = (byte)(level ? state.LevelTriggered | bit : state.LevelTriggered & ~bit),
        });
    }

    /// <summary>Takes the state.</summary>
    public AtPicState Save()
    {
        Backend8259 master = chips.Read8259(isSlave: false);
        return new AtPicState
        {
            Master = AtPicImage.Read(master, lines.Requests(isSlave: false)),
            Slave = AtPicImage.Read(chips.Read8259(isSlave: true), lines.Requests(isSlave: true)),
            SlaveRaised = (master.Lines & (1 << CascadeRequest)) != 0,
        };
    }

    /// <summary>Puts a state back.</summary>
    public void Restore(AtPicState state)
    {
        Scratch().Restore(state);
        lines.RestoreRequests(isSlave: false, state.Master.Assertions);
        lines.RestoreRequests(isSlave: true, state.Slave.Assertions);
        Backend8259 master = AtPicImage.Write(state.Master);
        int cascade = state.SlaveRaised ? 1 << CascadeRequest : 0;
        chips.Write8259(isSlave: true, AtPicImage.Write(state.Slave));
        chips.Write8259(isSlave: false, master with { Lines = (byte)((master.Lines & ~(1 << CascadeRequest)) | cascade) });
    }

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        AtPic scratch = Scratch();
        scratch.Restore(Save());
        return scratch.Read(request);
    }

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request)
    {
        AtPic scratch = Scratch();
        VmmDataResult result = scratch.Write(request);
        if (result.Error == VmmError.None)
        {
            Restore(scratch.Save());
        }

        return result;
    }

    private static int Check(int irq, string operation)
    {
        if ((uint)irq >= AtPic.RequestCount)
        {
            EngineThrow.Invalid(operation, $"there is no request {irq}");
        }

        if (irq == CascadeRequest)
        {
            EngineThrow.Invalid(operation, $"request {irq} is the second chip");
        }

        return irq;
    }

    // The checks and the layout are those of the engine's own chips.
    private static AtPic Scratch() => new(Unconnected.Instance);

    private sealed class Unconnected : IInterruptLine
    {
        public static readonly Unconnected Instance = new();

        public void SetLevel(bool asserted)
        {
            // The output of a chip that only holds state goes nowhere.
        }
    }
}
