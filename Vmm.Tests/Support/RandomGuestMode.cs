// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Support;

/// <summary>What a random guest begins in.</summary>
internal enum RandomGuestMode
{
    /// <summary>16-bit code in real mode.</summary>
    Real,

    /// <summary>32-bit code without paging.</summary>
    Protected,

    /// <summary>32-bit code with paging of two levels or three.</summary>
    Paged,

    /// <summary>64-bit code.</summary>
    Long,

    /// <summary>Control registers at random.</summary>
    Impossible,
}
