// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>How linear addresses become physical ones (volume 3, paging modes).</summary>
public enum PagingMode : byte
{
    /// <summary>CR0.PG is clear: the linear address is the physical one.</summary>
    Flat,

    /// <summary>Two levels of 4-byte entries.</summary>
    Bits32,

    /// <summary>Three levels of 8-byte entries, the first of four entries.</summary>
    Pae,

    /// <summary>Four levels of 8-byte entries, 48-bit linear addresses.</summary>
    FourLevel,

    /// <summary>Five levels of 8-byte entries, 57-bit linear addresses.</summary>
    FiveLevel,
}
