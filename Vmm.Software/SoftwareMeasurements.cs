// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>How fast the processor in software is on a host.</summary>
/// <param name="InstructionsPerSecond">Instructions of a loop over registers in a second.</param>
/// <param name="PortExit">What a port access costs that comes out and is answered.</param>
public readonly record struct SoftwareMeasurements(double InstructionsPerSecond, TimeSpan PortExit);
