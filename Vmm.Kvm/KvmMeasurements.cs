// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm;

/// <summary>What guests cost on this host, measured with loops at CPL 0 in 64-bit mode.</summary>
/// <param name="PortExit">One port output that user space handles, there and back.</param>
/// <param name="MmioExit">One memory-mapped write that user space handles, there and back.</param>
/// <param name="InstructionsPerSecond">Speed of a loop that counts a register down.</param>
public readonly record struct KvmMeasurements(TimeSpan PortExit, TimeSpan MmioExit, double InstructionsPerSecond);
