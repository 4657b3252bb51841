// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>
/// The kind of an event in <see cref="EventInformation"/>, as AMD's EXITINTINFO encodes it. VMX also uses 5 and 6, for
/// software exceptions.
/// </summary>
public enum EventType
{
    /// <summary>An external interrupt.</summary>
    HardwareInterrupt = 0,

    /// <summary>An NMI.</summary>
    Nmi = 2,

    /// <summary>An exception.</summary>
    HardwareException = 3,

    /// <summary>INT n.</summary>
    SoftwareInterrupt = 4,

    /// <summary>INT1, on VMX.</summary>
    PrivilegedSoftwareException = 5,

    /// <summary>INT3 or INTO, on VMX.</summary>
    SoftwareException = 6,
}
