// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// An operation that a vCPU has begun and not finished (<c>struct vie</c>). State cannot be saved while there is one.
/// </summary>
[VmmKernelSymbol("vie")]
public enum PendingOperation
{
    /// <summary>None: the vCPU is between two instructions.</summary>
    None = 0,

    /// <summary>An exit waits for its answer: fulfil or discard it.</summary>
    Exit = 1,

    /// <summary>
    /// The answer is given and the instruction retires with the next run, or with
    /// <see cref="IVirtualCpu.CompletePending"/>.
    /// </summary>
    Answered = 2,
}
