// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>What a page walk found.</summary>
public enum TranslationStatus : byte
{
    /// <summary>The access is permitted.</summary>
    Mapped,

    /// <summary>The access raises #PF with <see cref="Translation.ErrorCode"/>; CR2 would be the linear address.</summary>
    PageFault,

    /// <summary>A paging structure lies outside RAM, so the walk cannot be done.</summary>
    NoMemory,
}

/// <summary>The outcome of a page walk.</summary>
/// <param name="Status">Whether there is a physical address.</param>
/// <param name="PhysicalAddress">The guest-physical address of the byte, if mapped.</param>
/// <param name="ErrorCode">The error code that #PF pushes, if it faults.</param>
/// <param name="PageBits">The base-2 logarithm of the size of the page that maps it, 12 where paging is off.</param>
public readonly record struct Translation(TranslationStatus Status, ulong PhysicalAddress, uint ErrorCode, byte PageBits)
{
    /// <summary>Whether the page is the same in all address spaces: CR4.PGE is set, and the entry's bit G (volume 3, global pages).</summary>
    public bool IsGlobal { get; init; }
}
