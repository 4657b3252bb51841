// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>What an access does and with whose rights (volume 3, access rights).</summary>
[Flags]
public enum PageAccess : byte
{
    /// <summary>An explicit supervisor-mode data read.</summary>
    Read = 0,

    /// <summary>A data write.</summary>
    Write = 1,

    /// <summary>An instruction fetch.</summary>
    Execute = 2,

    /// <summary>A user-mode access: CPL is 3 and the access is not implicit.</summary>
    User = 4,

    /// <summary>An implicit supervisor access: to a descriptor table or a TSS, at any CPL. SMAP applies whatever RFLAGS.AC says.</summary>
    Implicit = 8,
}
