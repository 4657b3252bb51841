// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.State;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine.Chips;

/// <summary>The I/O APIC that the hypervisor has. Any thread; its state is best read and written while no vCPU runs.</summary>
internal sealed class HypervisorIoApic(HypervisorLines lines, IBackendChips chips) : IIoApic
{
    /// <inheritdoc/>
    public int PinCount => lines.PinCount;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry => Scratch().Entry;

    /// <inheritdoc/>
    public void AssertPin(int pin) => lines.DrivePin(Check(pin, "vioapic_assert_irq"), asserted: true);

    /// <inheritdoc/>
    public void DeassertPin(int pin) => lines.DrivePin(Check(pin, "vioapic_deassert_irq"), asserted: false);

    /// <inheritdoc/>
    public void PulsePin(int pin) => lines.PulsePin(Check(pin, "vioapic_pulse_irq"));

    /// <summary>Takes the state.</summary>
    public IoApicState Save() => IoApicImage.Read(chips.ReadIoApic(), lines.Pins);

    /// <summary>Puts a state back; pins that are asserted send as their entries say.</summary>
    public void Restore(IoApicState state)
    {
        Scratch().Restore(state);
        lines.RestorePins(state.Assertions);
        chips.WriteIoApic(IoApicImage.Write(state));
    }

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        IoApic scratch = Scratch();
        scratch.Restore(Save());
        return scratch.Read(request);
    }

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request)
    {
        IoApic scratch = Scratch();
        scratch.Restore(Save());
        VmmDataResult result = scratch.Write(request);
        if (result.Error == Abstractions.Errors.VmmError.None)
        {
            Restore(scratch.Save());
        }

        return result;
    }

    private int Check(int pin, string operation)
    {
        if ((uint)pin >= (uint)PinCount)
        {
            EngineThrow.Invalid(operation, $"there is no pin {pin}");
        }

        return pin;
    }

    // The checks and the layout are those of the engine's own chip.
    private IoApic Scratch() => new(new InterruptFabric(), new IoApicOptions { PinCount = PinCount });
}
