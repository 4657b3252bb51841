// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>How linear addresses become guest-physical ones (<c>vm_paging_mode</c>).</summary>
public enum PagingMode
{
    /// <summary>Paging is off.</summary>
    Flat = 0,

    /// <summary>Two levels of 32-bit entries.</summary>
    Legacy32 = 1,

    /// <summary>PAE: three levels of 64-bit entries.</summary>
    Pae = 2,

    /// <summary>Long mode: four levels of 64-bit entries.</summary>
    Long64 = 3,
}
