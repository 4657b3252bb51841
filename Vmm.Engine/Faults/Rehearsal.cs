// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Engine.Memory;
using Vmm.Engine.SecondChance;

namespace Vmm.Engine.Faults;

/// <summary>
/// Executes the instruction in front of which a vCPU shut down again, or delivers the event that the hypervisor shows, on a copy of
/// the vCPU and with pages that are copied when they are written. By the vCPU's owner.
/// </summary>
internal sealed class Rehearsal
{
    private readonly GuestAddressSpace _space;
    private readonly VcpuStateTransfer _transfer;
    private readonly Dictionary<ulong, byte[]> _pages = [];

    public Rehearsal(GuestAddressSpace space, CpuidEntry[] cpuid)
    {
        _space = space;
        (State, _transfer) = EmulatedVcpu.MakeState(cpuid);
    }

    /// <summary>The copy.</summary>
    public CpuState State { get; }

    /// <summary>Finds out what led to a shutdown.</summary>
    /// <param name="backend">The vCPU.</param>
    /// <returns>The events; empty when nothing leads there again.</returns>
    public ImmutableArray<FaultStep> Find(IBackendVcpu backend)
    {
        RehearsalCpu cpu = new(this);
        Load(backend);
        ExecutionResult result = Executor.Step(ref cpu);
        if (result.Status == ExecutionStatus.Fault && ShutsDown(ref cpu, result))
        {
            return State.Trail.ToSteps();
        }

        BackendEvents events = backend.Events;
        EventInformation due = events.Injected.IsValid ? events.Injected : events.Pending;
        if (!due.IsValid)
        {
            return [];
        }

        Load(backend);
        result = new ExecutionResult(ExecutionStatus.Fault, due.Vector, due.HasErrorCode, due.ErrorCode, State.Cr2);
        if (due.Type != EventType.HardwareException)
        {
            InterruptKind kind = due.Type switch
            {
                EventType.SoftwareInterrupt => InterruptKind.SoftwareInterrupt,
                EventType.SoftwareException => InterruptKind.SoftwareException,
                EventType.PrivilegedSoftwareException => InterruptKind.PrivilegedException,
                _ => InterruptKind.External,
            };
            result = Executor.Deliver(ref cpu, due.Vector, kind, errorCode: null);
        }

        return result.Status == ExecutionStatus.Fault && ShutsDown(ref cpu, result) ? State.Trail.ToSteps() : [];
    }

    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        ulong page = physicalAddress / PageSize.Bytes;
        int offset = (int)(physicalAddress % PageSize.Bytes);
        if (_pages.TryGetValue(page, out byte[]? copy))
        {
            return ref copy[offset];
        }

        GuestPhysicalAddress address = new(physicalAddress);
        Span<byte> bytes = _space.Find(address) is { } range
            ? range.Bytes(address, length, write ? MemoryProtection.Write : MemoryProtection.None)
            : default;
        if (bytes.IsEmpty || !write)
        {
            return ref MemoryMarshal.GetReference(bytes);
        }

        // A mapping is made of whole pages.
        GuestPhysicalAddress start = new(page * PageSize.Bytes);
        copy = _space.Find(start)!.Bytes(start, (int)PageSize.Bytes, MemoryProtection.None).ToArray();
        _pages.Add(page, copy);
        return ref copy[offset];
    }

    public bool Admits(in Instruction instruction)
    {
        _transfer.Require(instruction.Needs);
        return true;
    }

    private static bool ShutsDown(ref RehearsalCpu cpu, in ExecutionResult fault) =>
        Executor.Raise(ref cpu, fault).Status == ExecutionStatus.Shutdown;

    private void Load(IBackendVcpu backend)
    {
        _pages.Clear();
        _transfer.Load(backend);
    }
}
