// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>A local APIC with a processor that counts what it is told.</summary>
internal sealed class TestProcessor : IApicSink
{
    public TestProcessor(InterruptFabric fabric, ManualClock clock, LocalApicOptions options)
    {
        Apic = new LocalApic(options, fabric, this, clock, clock.Deadlines);
        fabric.Attach(Apic);
    }

    public LocalApic Apic { get; }

    public int Pending { get; private set; }

    public int Externals { get; private set; }

    public int Nmis { get; private set; }

    public int Inits { get; private set; }

    public int StartUpVector { get; private set; } = -1;

    /// <summary>Takes the pending vector and ends it.</summary>
    public int TakeAndEnd()
    {
        if (!Apic.TryGetPendingVector(out byte vector))
        {
            return -1;
        }

        Apic.AcceptInterrupt(vector);
        if (Apic.Mode == ApicMode.X2Apic)
        {
            Apic.WriteMsr(0x80b, 0);
        }
        else
        {
            Apic.WriteMmio(0xb0, 4, 0);
        }

        return vector;
    }

    public void InterruptPending() => Pending++;

    public void ExternalInterrupt() => Externals++;

    public void Nmi() => Nmis++;

    public void Init() => Inits++;

    public void StartUp(byte vector) => StartUpVector = vector;
}
