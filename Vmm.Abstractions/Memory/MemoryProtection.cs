// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>
/// What a guest may do with a range of its memory (<c>PROT_READ</c>, <c>PROT_WRITE</c>, <c>PROT_EXEC</c>).
/// </summary>
/// <remarks>
/// KVM's memory slots enforce write protection only. Read and execute protection are recorded and are honoured by
/// host-side access and by the software page walk.
/// </remarks>
[Flags]
public enum MemoryProtection
{
    /// <summary>No access.</summary>
    None = 0,

    /// <summary>The guest may read.</summary>
    Read = 1,

    /// <summary>The guest may write.</summary>
    Write = 2,

    /// <summary>The guest may fetch instructions.</summary>
    Execute = 4,

    /// <summary>illumos' <c>PROT_USER</c>: accepted and recorded for compatibility, without a meaning here.</summary>
    User = 8,

    /// <summary>Read and write.</summary>
    ReadWrite = Read | Write,

    /// <summary>Read and execute: a ROM.</summary>
    ReadExecute = Read | Execute,

    /// <summary>Read, write and execute: ordinary RAM.</summary>
    All = Read | Write | Execute,
}
