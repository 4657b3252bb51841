// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>How a statistic moves.</summary>
public enum StatisticKind
{
    /// <summary>It only grows.</summary>
    Cumulative = 0,

    /// <summary>It is what is now.</summary>
    Instant = 1,

    /// <summary>It is the most that there has been.</summary>
    Peak = 2,
}
