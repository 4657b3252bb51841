// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Backend;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <content>Where the vCPU's time goes, and the translations of its blocks.</content>
internal sealed partial class SoftwareVcpu : IBackendStatistics
{
    private long _translations;
    private long _failedTranslations;
    private long _translationTicks;

    /// <summary>What was seen of the vCPU, where somebody looks.</summary>
    public PhaseShares Shares { get; } = new();

    /// <inheritdoc/>
    public IReadOnlyList<BackendStatistic> ReadStatistics()
    {
        List<BackendStatistic> all =
        [
            new("translations", StatisticKind.Cumulative, "1", Volatile.Read(ref _translations)),
            new("translations_failed", StatisticKind.Cumulative, "1", Volatile.Read(ref _failedTranslations)),
            new("time_translating", StatisticKind.Cumulative, "s", Volatile.Read(ref _translationTicks) / (double)Stopwatch.Frequency),
        ];
        if (_vm.Sampler is not null)
        {
            all.Add(new("samples", StatisticKind.Cumulative, "1", Shares.Samples));
            all.Add(new("sampled_execute", StatisticKind.Cumulative, "s", Shares.Seconds(ExecutionPhase.Execute)));
            all.Add(new("sampled_decode", StatisticKind.Cumulative, "s", Shares.Seconds(ExecutionPhase.Decode)));
            all.Add(new("sampled_page_walk", StatisticKind.Cumulative, "s", Shares.Seconds(ExecutionPhase.Walk)));
            all.Add(new("sampled_outside", StatisticKind.Cumulative, "s", Shares.Seconds(ExecutionPhase.None)));
        }

        return all;
    }

    /// <summary>Has the pool's threads carry a translation out, unless too many of the VM's wait for them.</summary>
    private bool QueueTranslation(Action translate) => _vm.Translations.TryAdd(() => Translate(translate));

    [SuppressMessage(
        "Design", "CA1031", Justification = "On a thread of the pool it would end the process. A block without a translation is interpreted, and this is counted.")]
    internal void Translate(Action translate)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            translate();
            Interlocked.Increment(ref _translations);
        }
        catch (Exception)
        {
            Interlocked.Increment(ref _failedTranslations);
        }

        Interlocked.Add(ref _translationTicks, Stopwatch.GetTimestamp() - start);
    }
}
