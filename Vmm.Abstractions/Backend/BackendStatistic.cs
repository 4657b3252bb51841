// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>One figure that a hypervisor keeps of a VM or a vCPU.</summary>
/// <param name="Name">The hypervisor's name for it.</param>
/// <param name="Kind">How it moves.</param>
/// <param name="Unit">The unit in UCUM, <c>1</c> for a plain number.</param>
/// <param name="Value">The value in that unit.</param>
public readonly record struct BackendStatistic(string Name, StatisticKind Kind, string Unit, double Value);
