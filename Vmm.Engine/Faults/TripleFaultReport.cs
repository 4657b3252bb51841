// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Memory;

namespace Vmm.Engine.Faults;

/// <summary>Why a guest met a triple fault, as far as it can be known. Taken on the vCPU's thread when it happened.</summary>
public sealed record TripleFaultReport
{
    /// <summary>The vCPU that shut down.</summary>
    public required VcpuId Vcpu { get; init; }

    /// <summary>Where <see cref="Chain"/> is from.</summary>
    public TripleFaultOrigin Origin { get; init; }

    /// <summary>The events that led there, the oldest first; empty where none is known.</summary>
    public ImmutableArray<FaultStep> Chain { get; init; } = [];

    /// <summary>What is to be said about the chain or its absence; null when nothing is.</summary>
    public string? Remark { get; init; }

    /// <summary>The general registers.</summary>
    public GeneralRegisters Registers { get; init; }

    /// <summary>CR0.</summary>
    public ulong Cr0 { get; init; }

    /// <summary>CR2.</summary>
    public ulong Cr2 { get; init; }

    /// <summary>CR3.</summary>
    public ulong Cr3 { get; init; }

    /// <summary>CR4.</summary>
    public ulong Cr4 { get; init; }

    /// <summary>IA32_EFER.</summary>
    public ulong Efer { get; init; }

    /// <summary>The code segment.</summary>
    public SegmentDescriptor Cs { get; init; }

    /// <summary>The stack segment.</summary>
    public SegmentDescriptor Ss { get; init; }

    /// <summary>The task-state segment.</summary>
    public SegmentDescriptor Tr { get; init; }

    /// <summary>The interrupt table.</summary>
    public SegmentDescriptor Idtr { get; init; }

    /// <summary>The bytes at the instruction pointer, as far as they can be fetched.</summary>
    public ImmutableArray<byte> Code { get; init; } = [];

    /// <summary>How the instruction's address translates; null when the state could not be read.</summary>
    public PageWalk? CodeWalk { get; init; }

    /// <summary>How the address below the stack pointer translates, where an event's frame begins; null as above.</summary>
    public PageWalk? StackWalk { get; init; }

    /// <summary>How the address of the chain's last page fault translates, without one that in CR2; null when there is neither.</summary>
    public PageWalk? FaultWalk { get; init; }

    /// <summary>The entries of the interrupt table for the events of which a delivery was begun.</summary>
    public ImmutableArray<TripleFaultGate> Gates { get; init; } = [];

    /// <summary>The chain in one line.</summary>
    /// <returns>The line.</returns>
    public override string ToString() => Chain.IsEmpty
        ? $"triple fault of vCPU {Vcpu}: {Remark}"
        : $"triple fault of vCPU {Vcpu}: {string.Join(" > ", Chain)} > shutdown";
}
