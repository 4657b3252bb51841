// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>One remembered translation of a page of 4 KiB.</summary>
internal struct TranslationEntry
{
    /// <summary>The linear page and the rights that it was found with; 0 matches nothing.</summary>
    internal ulong Tag;

    /// <summary>The guest-physical page.</summary>
    internal ulong Page;

    /// <summary><see cref="Tag"/> where <see cref="Host"/> may be used, else 0.</summary>
    internal ulong HostTag;

    /// <summary>What leads from a linear address, added to the binding's memory base, to the byte in host memory.</summary>
    internal nint Host;
}
