// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Devices;

/// <summary>Where a device's registers are.</summary>
public enum BusKind
{
    /// <summary>At guest-physical addresses.</summary>
    Memory = 0,

    /// <summary>At ports.</summary>
    Port = 1,
}
