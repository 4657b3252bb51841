// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Software;

/// <summary>An access to an MSR that user space answers.</summary>
/// <param name="Index">The register.</param>
/// <param name="IsWrite">WRMSR and not RDMSR.</param>
/// <param name="Value">What is written, or the answer to a read.</param>
/// <param name="Reason">Why it is not answered here.</param>
internal readonly record struct PendingMsr(uint Index, bool IsWrite, ulong Value, MsrExitReason Reason)
{
    /// <summary>Whether there is an answer.</summary>
    public bool IsAnswered { get; init; }

    /// <summary>How the access ends.</summary>
    public MsrOutcome Outcome { get; init; }
}
