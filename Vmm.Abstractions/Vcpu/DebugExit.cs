// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>A debug event: single step, a breakpoint or a watchpoint.</summary>
/// <param name="Exception">The exception that reports it: 1 (#DB) or 3 (#BP).</param>
/// <param name="Pc">The linear address of the event.</param>
/// <param name="Dr6">DR6 as the event would set it.</param>
/// <param name="Dr7">DR7.</param>
public readonly record struct DebugExit(uint Exception, ulong Pc, ulong Dr6, ulong Dr7);
