// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>
/// Atomic accesses wider than .NET offers. An optional interface of a backend VM; any thread. Without it every other vCPU is stopped
/// for such an access.
/// </summary>
public interface IWideAtomics
{
    /// <summary>
    /// Compares and exchanges 16 bytes atomically against the guest and all threads (CMPXCHG16B with LOCK).
    /// </summary>
    /// <param name="at">Guest memory, aligned to 16, that stays in place meanwhile.</param>
    /// <param name="expected">What must be there; on a difference receives what is.</param>
    /// <param name="desired">What shall be there.</param>
    /// <param name="exchanged">Whether it was exchanged.</param>
    /// <returns><see langword="false"/> when this host cannot do it; nothing happened.</returns>
    bool TryCompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired, out bool exchanged);
}
