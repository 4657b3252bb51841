// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>What a local APIC tells the processor it belongs to.</summary>
/// <remarks>
/// Called from any thread, with no lock held, also from the processor's own. Must not throw, block or run the processor:
/// it records the event and wakes or kicks whoever runs the processor.
/// </remarks>
public interface IApicSink
{
    /// <summary>A vector has become pending; whether it can be delivered, <see cref="LocalApic.TryGetPendingVector"/> tells.</summary>
    void InterruptPending();

    /// <summary>An external interrupt has become pending; see <see cref="LocalApic.HasExternalInterrupt"/>.</summary>
    void ExternalInterrupt();

    /// <summary>A non-maskable interrupt. Several before the first is taken are one.</summary>
    void Nmi();

    /// <summary>INIT.</summary>
    void Init();

    /// <summary>A start-up message.</summary>
    /// <param name="vector">The page to start at.</param>
    void StartUp(byte vector);
}
