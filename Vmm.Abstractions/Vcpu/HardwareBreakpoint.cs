// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Vcpu;

/// <summary>A breakpoint that the processor watches for.</summary>
/// <param name="Address">The linear address, a multiple of <paramref name="Length"/>.</param>
/// <param name="Kind">What is watched for.</param>
/// <param name="Length">Bytes watched: 1, 2, 4 or 8; 1 for execution.</param>
public readonly record struct HardwareBreakpoint(GuestLinearAddress Address, BreakpointKind Kind, byte Length);
