// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Abstractions.Vcpu;

/// <summary>How to enter a guest (<c>struct vm_entry</c>): a command and the answer that it carries.</summary>
public readonly record struct VmEntry
{
    private VmEntry(EntryCommand command)
    {
        Command = command;
    }

    /// <summary>What to do before the guest goes on.</summary>
    public EntryCommand Command { get; }

    /// <summary>For <see cref="EntryCommand.FulfillInout"/>: the access with its answer.</summary>
    public PortExit Port { get; private init; }

    /// <summary>For <see cref="EntryCommand.FulfillMmio"/>: the access with its answer.</summary>
    public MmioExit Mmio { get; private init; }

    /// <summary>For <see cref="EntryCommand.FulfillMsr"/>: the register.</summary>
    public MsrIndex Msr { get; private init; }

    /// <summary>For <see cref="EntryCommand.FulfillMsr"/>: whether the access succeeds or faults.</summary>
    public MsrOutcome MsrOutcome { get; private init; }

    /// <summary>The answer to an RDMSR or a hypercall.</summary>
    public ulong Value { get; private init; }

    /// <summary>Enter without a command. A pending operation is reported again.</summary>
    public static VmEntry Default => default;

    /// <summary>Abandon the pending operation and enter.</summary>
    public static VmEntry DiscardInstruction => new(EntryCommand.DiscardInstruction);

    /// <summary>Answers a port access.</summary>
    /// <param name="request">The exit's payload.</param>
    /// <param name="value">
    /// For a single IN the value. For string input the data is written to the vCPU's exit data instead.
    /// </param>
    /// <returns>The entry.</returns>
    public static VmEntry FulfillPort(in PortExit request, uint value = 0) =>
        new(EntryCommand.FulfillInout) { Port = request with { Eax = request.IsIn ? value : request.Eax } };

    /// <summary>Answers a memory-mapped access.</summary>
    /// <param name="request">The exit's payload.</param>
    /// <param name="value">For a read the value, little-endian.</param>
    /// <returns>The entry.</returns>
    public static VmEntry FulfillMmio(in MmioExit request, ulong value = 0) =>
        new(EntryCommand.FulfillMmio) { Mmio = request with { Data = request.IsRead ? value : request.Data } };

    /// <summary>Answers an MSR access.</summary>
    /// <param name="index">The register.</param>
    /// <param name="outcome">Handled, or a general-protection fault for the guest.</param>
    /// <param name="value">For RDMSR the value.</param>
    /// <returns>The entry.</returns>
    public static VmEntry FulfillMsr(MsrIndex index, MsrOutcome outcome, ulong value = 0) =>
        new(EntryCommand.FulfillMsr) { Msr = index, MsrOutcome = outcome, Value = value };

    /// <summary>Answers a hypercall.</summary>
    /// <param name="result">What the guest finds in RAX.</param>
    /// <returns>The entry.</returns>
    public static VmEntry FulfillHypercall(ulong result) =>
        new(EntryCommand.FulfillHypercall) { Value = result };
}
