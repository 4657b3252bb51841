// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>A hypercall.</summary>
/// <param name="Number">The hypercall's number.</param>
/// <param name="Argument0">The first argument.</param>
/// <param name="Argument1">The second argument.</param>
/// <param name="Argument2">The third argument.</param>
/// <param name="Argument3">The fourth argument.</param>
/// <param name="Argument4">The fifth argument.</param>
/// <param name="IsLongMode">Whether the guest called from 64-bit mode.</param>
public readonly record struct HypercallExit(
    ulong Number,
    ulong Argument0,
    ulong Argument1,
    ulong Argument2,
    ulong Argument3,
    ulong Argument4,
    bool IsLongMode);
