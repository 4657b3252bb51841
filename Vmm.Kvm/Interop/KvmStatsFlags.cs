// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>What kind of number a statistic is (the low four bits of its flags).</summary>
internal enum KvmStatsType : uint
{
    /// <summary><c>KVM_STATS_TYPE_CUMULATIVE</c>.</summary>
    Cumulative = 0,

    /// <summary><c>KVM_STATS_TYPE_INSTANT</c>.</summary>
    Instant = 1,

    /// <summary><c>KVM_STATS_TYPE_PEAK</c>.</summary>
    Peak = 2,

    /// <summary><c>KVM_STATS_TYPE_LINEAR_HIST</c>.</summary>
    LinearHist = 3,

    /// <summary><c>KVM_STATS_TYPE_LOG_HIST</c>.</summary>
    LogHist = 4,
}

/// <summary>The unit of a statistic (bits 4 to 7 of its flags).</summary>
internal enum KvmStatsUnit : uint
{
    /// <summary><c>KVM_STATS_UNIT_NONE</c>.</summary>
    None = 0,

    /// <summary><c>KVM_STATS_UNIT_BYTES</c>.</summary>
    Bytes = 16,

    /// <summary><c>KVM_STATS_UNIT_SECONDS</c>.</summary>
    Seconds = 32,

    /// <summary><c>KVM_STATS_UNIT_CYCLES</c>.</summary>
    Cycles = 48,

    /// <summary><c>KVM_STATS_UNIT_BOOLEAN</c>.</summary>
    Boolean = 64,
}

/// <summary>The base of the exponent of a statistic (bits 8 to 11 of its flags).</summary>
internal enum KvmStatsBase : uint
{
    /// <summary><c>KVM_STATS_BASE_POW10</c>.</summary>
    Pow10 = 0,

    /// <summary><c>KVM_STATS_BASE_POW2</c>.</summary>
    Pow2 = 256,
}
