// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions;

/// <summary>The names under which the engine publishes traces and measurements.</summary>
public static class VmmTelemetry
{
    /// <summary>The name of the <c>ActivitySource</c> and the prefix of every meter.</summary>
    [VmmKernelSymbol("SDT_PROVIDER_DECLARE")]
    public const string ProviderName = "vmm";

    /// <summary>The class tag of the engine's statistics, as bhyve's kstats carry it.</summary>
    [VmmKernelSymbol("VMM_KSTAT_CLASS")]
    public const string StatisticsClass = "misc";
}
