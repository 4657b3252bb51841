// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Machine.Diagnostics;

/// <summary>What the engine executed because the hypervisor could not.</summary>
/// <param name="Count">Instructions that the hypervisor gave up on.</param>
/// <param name="Executed">Instructions that the engine executed: those, and the rest of their batches.</param>
/// <param name="ByInstruction">The instructions given up on by mnemonic, the most frequent first.</param>
public sealed record SecondChanceReport(
    long Count, long Executed, ImmutableArray<KeyValuePair<string, long>> ByInstruction)
{
    /// <summary>Instructions that the hypervisor executed one at a time between batches.</summary>
    public long HypervisorSteps { get; init; }
}
