// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>KVM's binary statistics of a VM or a vCPU: one descriptor, opened when it is first asked (api.rst, KVM_GET_STATS_FD).</summary>
internal sealed class KvmStatistics(Func<KvmStatsFd?> open) : IDisposable
{
    private readonly Lock _lock = new();
    private KvmStatsFd? _fd;
    private bool _isAsked;
    private bool _isDisposed;

    /// <summary>Reads all figures of one number; histograms have none that says it all.</summary>
    public IReadOnlyList<BackendStatistic> Read()
    {
        lock (_lock)
        {
            if (!_isAsked && !_isDisposed)
            {
                _fd = open();
                _isAsked = true;
            }

            return _fd is null || _isDisposed
                ? []
                : [.. _fd.ReadDescriptors().Where(IsNumber).Select(statistic => ToStatistic(statistic, _fd.ReadFirst(statistic)))];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _fd?.Dispose();
        }
    }

    private static bool IsNumber(KvmStatistic statistic) => statistic.Count == 1 && statistic.Type <= KvmStatsType.Peak;

    private static BackendStatistic ToStatistic(KvmStatistic statistic, ulong value) => new(
        statistic.Name,
        (StatisticKind)statistic.Type,
        statistic.Unit switch
        {
            KvmStatsUnit.Bytes => "By",
            KvmStatsUnit.Seconds => "s",
            KvmStatsUnit.Cycles => "{cycle}",
            _ => "1",
        },
        value * Math.Pow(statistic.Base == KvmStatsBase.Pow2 ? 2 : 10, statistic.Description.Exponent));
}
