// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>One entry that a page walk looked at.</summary>
/// <param name="Level">5 to 1; the PAE page-directory-pointer table is 3.</param>
/// <param name="Address">The entry's guest-physical address.</param>
/// <param name="Entry">The entry; 0 when it is not in RAM.</param>
/// <param name="IsInMemory">Whether the entry is in RAM.</param>
public readonly record struct PageWalkStep(int Level, ulong Address, ulong Entry, bool IsInMemory);
