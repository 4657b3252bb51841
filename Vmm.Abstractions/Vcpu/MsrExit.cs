// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Abstractions.Vcpu;

/// <summary>An MSR access that nobody below the caller answered.</summary>
/// <param name="Index">The MSR.</param>
/// <param name="Value">For WRMSR the value; else 0.</param>
/// <param name="Reason">Why the hypervisor handed it over.</param>
public readonly record struct MsrExit(MsrIndex Index, ulong Value, MsrExitReason Reason = MsrExitReason.Unknown);
