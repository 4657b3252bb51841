// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>How a VM is created (<c>VCF_*</c>).</summary>
[Flags]
public enum CreateFlags
{
    /// <summary>Nothing special.</summary>
    None = 0,

    /// <summary>
    /// RAM comes from a reservoir. There is none on Linux: the flag is accepted, and RAM is allocated as always.
    /// </summary>
    ReservoirMemory = 1,

    /// <summary>Written pages are tracked.</summary>
    TrackDirty = 2,
}
