// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>Whose answer an instruction waits for.</summary>
internal enum WaitingFor : byte
{
    /// <summary>None.</summary>
    Nothing = 0,

    /// <summary>A device's, at a port or an address.</summary>
    Device,

    /// <summary>That of whoever has an MSR.</summary>
    Msr,

    /// <summary>That of whoever serves hypercalls.</summary>
    Hypercall,
}
