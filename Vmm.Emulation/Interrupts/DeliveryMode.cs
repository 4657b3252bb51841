// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>What an interrupt message asks its target to do (SDM volume 3, "Interrupt Command Register").</summary>
public enum DeliveryMode : byte
{
    /// <summary>Take the vector.</summary>
    Fixed = 0,

    /// <summary>Take the vector; only the target that runs at the lowest priority does.</summary>
    LowestPriority = 1,

    /// <summary>A system-management interrupt. Accepted and ignored: there is no such mode here.</summary>
    Smi = 2,

    /// <summary>Reserved (formerly remote read). Ignored.</summary>
    Reserved = 3,

    /// <summary>A non-maskable interrupt.</summary>
    Nmi = 4,

    /// <summary>INIT.</summary>
    Init = 5,

    /// <summary>Start-up: the vector is the page to start at. From processors only.</summary>
    StartUp = 6,

    /// <summary>An external interrupt: the vector is fetched from the 8259 pair.</summary>
    ExternalInterrupt = 7,
}
