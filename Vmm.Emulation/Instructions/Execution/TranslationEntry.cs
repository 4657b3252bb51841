// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>One remembered translation of 4 KiB, which may be a part of a larger page.</summary>
internal struct TranslationEntry
{
    private const ulong OffsetMask = 0xFFF;
    private const ulong GlobalBit = 64;

    /// <summary>The linear page, and the rights and address space that it was found with; 0 matches nothing.</summary>
    internal ulong Tag;

    /// <summary><see cref="Tag"/> where <see cref="Host"/> may be used, else 0.</summary>
    internal ulong HostTag;

    /// <summary>What leads from a linear address, added to the binding's memory base, to the byte in host memory.</summary>
    internal nint Host;

    private readonly ulong _target;

    internal TranslationEntry(ulong tag, ulong physical, int pageBits, bool isGlobal)
    {
        Tag = tag;
        _target = physical & ~OffsetMask | (isGlobal ? GlobalBit : 0) | (uint)pageBits;
    }

    /// <summary>The guest-physical address of the 4 KiB.</summary>
    internal readonly ulong Page => _target & ~OffsetMask;

    /// <summary>The base-2 logarithm of the size of the page that it is a part of.</summary>
    internal readonly int PageBits => (int)(_target & (GlobalBit - 1));

    /// <summary>Whether it serves all address spaces.</summary>
    internal readonly bool IsGlobal => (_target & GlobalBit) != 0;

    /// <summary>Whether its page holds a linear address.</summary>
    internal readonly bool Holds(ulong linear) => Tag != 0 && (Tag ^ linear) >> PageBits == 0;
}
