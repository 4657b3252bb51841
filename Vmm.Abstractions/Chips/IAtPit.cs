// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Chips;

/// <summary>An 8254 interval timer (<c>struct vatpit</c>).</summary>
public interface IAtPit
{
    /// <summary>The rate at which its counters count, in Hz.</summary>
    long Frequency { get; }
}
