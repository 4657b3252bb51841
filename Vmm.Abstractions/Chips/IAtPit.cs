// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>An 8254 interval timer (<c>struct vatpit</c>).</summary>
public interface IAtPit : IVmmDataSource
{
    /// <summary>The rate at which its counters count, in Hz.</summary>
    long Frequency { get; }
}
