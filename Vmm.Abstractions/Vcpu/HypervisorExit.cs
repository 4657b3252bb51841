// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// An exit that carries the hypervisor's own number and up to four values: a failed entry, an internal error, a system
/// event, and everything unknown.
/// </summary>
/// <param name="Reason">The number: hardware reason, suberror, event type or exit reason.</param>
/// <param name="Value0">The first value.</param>
/// <param name="Value1">The second value.</param>
/// <param name="Value2">The third value.</param>
public readonly record struct HypervisorExit(ulong Reason, ulong Value0 = 0, ulong Value1 = 0, ulong Value2 = 0);
