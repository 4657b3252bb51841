// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine.Faults;
using Vmm.Engine.Memory;

namespace Vmm.Engine;

/// <content>What there is to say about a triple fault.</content>
public sealed partial class VirtualCpu
{
    private const ulong ResetRip = 0xfff0;
    private const ulong ResetCodeBase = 0xffff0000;

    /// <summary>Suspends the VM with a report of why; what led there is asked for, or found out, when nobody has seen it.</summary>
    private void SuspendByTripleFault(IBackendVcpu backend, ImmutableArray<FaultStep> seen = default)
    {
        if (_machine.SuspendReason != SuspendReason.None)
        {
            return;
        }

        TripleFaultReport report;
        try
        {
            report = Explain(backend, seen.IsDefault && backend is IBackendFaults faults ? faults.ReadShutdown() : seen);
        }
        catch (VmmException refusal)
        {
            report = new TripleFaultReport { Vcpu = Id, Remark = $"the vCPU's state cannot be read: {refusal.Message}" };
        }

        _machine.TrySuspend(SuspendReason.TripleFault, report);
    }

    private TripleFaultReport Explain(IBackendVcpu backend, ImmutableArray<FaultStep> seen)
    {
        TripleFaultOrigin origin = seen.IsDefaultOrEmpty ? TripleFaultOrigin.Unknown : TripleFaultOrigin.Seen;
        ImmutableArray<FaultStep> chain = seen.IsDefaultOrEmpty ? [] : seen;
        TripleFaultReport report = Describe(backend);
        string? remark = null;
        if (report.Registers.Rip == ResetRip && report.Cs.Base == ResetCodeBase)
        {
            remark = "the vCPU shows the state after an INIT, as processors do that do not keep the one they shut down in (AMD APM volume 2, section 15.14.3)";
        }
        else if (chain.IsEmpty)
        {
            chain = new Rehearsal(_machine.Space, _cpuidAnswers).Find(backend);
            origin = chain.IsEmpty ? TripleFaultOrigin.Unknown : TripleFaultOrigin.Rehearsed;
            remark = chain.IsEmpty
                ? "neither the instruction nor the event that the hypervisor shows leads there again: an interrupt may have come, or memory has changed since"
                : null;
        }

        PagingState paging = CurrentPaging(backend);
        GuestLinearAddress? fault = chain.LastOrDefault(static step => step.Address is not null).Address
            ?? ((report.Cr0 & Cr0Paging) != 0 && report.Cr2 != 0 ? new GuestLinearAddress(report.Cr2) : null);
        return report with
        {
            Origin = origin,
            Chain = chain,
            Remark = remark,
            FaultWalk = fault is { } address ? WalkOwned(paging, address, PageAccess.Read) : null,
            Gates = [.. chain.Where(static step => step.WasAttempted).Select(static step => step.Event.Vector).Distinct()
                .Select(vector => ReadGate(report, paging, vector))],
        };
    }

    /// <summary>The vCPU as it is.</summary>
    private TripleFaultReport Describe(IBackendVcpu backend)
    {
        GeneralRegisters registers = backend.GeneralRegisters;
        SegmentDescriptor code = backend.GetSegmentDescriptor(RegisterName.Cs);
        SegmentDescriptor stack = backend.GetSegmentDescriptor(RegisterName.Ss);
        ulong efer = backend.GetRegister(RegisterName.Efer);
        bool isLong = (efer & EferLongModeActive) != 0 && code.Access.IsLong;
        ulong rip = isLong ? registers.Rip : (uint)(registers.Rip + code.Base);
        ulong pointer = isLong ? registers.Rsp - sizeof(ulong) : (uint)(registers.Rsp + stack.Base - sizeof(uint));
        PagingState paging = CurrentPaging(backend);
        return new TripleFaultReport
        {
            Vcpu = Id,
            Registers = registers,
            Cr0 = backend.GetRegister(RegisterName.Cr0),
            Cr2 = backend.GetRegister(RegisterName.Cr2),
            Cr3 = backend.GetRegister(RegisterName.Cr3),
            Cr4 = backend.GetRegister(RegisterName.Cr4),
            Efer = efer,
            Cs = code,
            Ss = stack,
            Tr = backend.GetSegmentDescriptor(RegisterName.Tr),
            Idtr = backend.GetSegmentDescriptor(RegisterName.Idtr),
            Code = [.. ReadOwned(paging, rip, InstructionBytes.Length, PageAccess.Execute)],
            CodeWalk = WalkOwned(paging, new GuestLinearAddress(rip), PageAccess.Execute),
            StackWalk = WalkOwned(paging, new GuestLinearAddress(pointer), PageAccess.Write),
        };
    }

    /// <summary>Reads the entry of a vector and says what is wrong with it (Intel SDM volume 3, IDT descriptors and 64-bit mode IDT).</summary>
    private TripleFaultGate ReadGate(TripleFaultReport report, in PagingState paging, byte vector)
    {
        bool isProtected = (report.Cr0 & 1) != 0;
        bool isLong = (report.Efer & EferLongModeActive) != 0;
        int size = !isProtected ? 4 : isLong ? 16 : 8;
        ulong offset = (ulong)(vector * size);
        ulong at = isLong ? report.Idtr.Base + offset : (uint)(report.Idtr.Base + offset);
        GuestLinearAddress address = new(at);
        if (offset + (ulong)size - 1 > report.Idtr.Limit)
        {
            return new TripleFaultGate(vector, address, 0, 0, $"it lies beyond the table's limit, 0x{report.Idtr.Limit:x}");
        }

        byte[] bytes = ReadOwned(paging, at, size, PageAccess.Read);
        if (bytes.Length < size)
        {
            PageWalk walk = WalkOwned(paging, new GuestLinearAddress(at + (ulong)bytes.Length), PageAccess.Read);
            return new TripleFaultGate(vector, address, 0, 0, walk.Result.Status == TranslationStatus.Mapped
                ? $"it is not in memory: {walk}"
                : $"it cannot be read: {walk}");
        }

        Span<byte> whole = stackalloc byte[16];
        whole.Clear();
        bytes.CopyTo(whole);
        ulong low = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(whole);
        ulong high = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(whole[sizeof(ulong)..]);
        return new TripleFaultGate(vector, address, low, high, isProtected ? FindProblem(low, isLong) : null);
    }

    private static string? FindProblem(ulong low, bool isLong)
    {
        int type = (int)(low >> 40) & 0x1f;
        bool isGate = isLong ? type is 14 or 15 : type is 5 or 6 or 7 or 14 or 15;
        return !isGate ? $"0x{low:x16} is no gate (type {type})"
            : (low >> 47 & 1) == 0 ? $"0x{low:x16} is not present"
            : (ushort)(low >> 16) < 4 ? $"0x{low:x16} has no code segment"
            : null;
    }

    private PageWalk WalkOwned(in PagingState paging, GuestLinearAddress address, PageAccess access)
    {
        GuestRam memory = new(_machine.Space);
        Span<PageWalkStep> steps = stackalloc PageWalkStep[PageWalker.MaximumLevels];
        int count = PageWalker.Trace(ref memory, paging, address.Value, steps);
        return new PageWalk(address, [.. steps[..count]], PageWalker.Probe(ref memory, paging, address.Value, access));
    }

    /// <summary>The bytes at a linear address up to the first that cannot be read.</summary>
    private byte[] ReadOwned(in PagingState paging, ulong linear, int length, PageAccess access)
    {
        GuestRam memory = new(_machine.Space);
        byte[] bytes = new byte[length];
        int count = 0;
        while (count < length)
        {
            ulong at = linear + (uint)count;
            int some = (int)Math.Min((ulong)(length - count), PageSize.Bytes - (at % PageSize.Bytes));
            Translation translation = PageWalker.Probe(ref memory, paging, at, access);
            MappedRange? range = translation.Status == TranslationStatus.Mapped
                ? _machine.Space.Find(new GuestPhysicalAddress(translation.PhysicalAddress))
                : null;
            Span<byte> found = range is null
                ? default
                : range.Bytes(new GuestPhysicalAddress(translation.PhysicalAddress), some, MemoryProtection.None);
            if (found.IsEmpty)
            {
                break;
            }

            found.CopyTo(bytes.AsSpan(count));
            count += some;
        }

        return bytes[..count];
    }

    private GuestLinearAddress? PageFaultAddress(EventInformation exception) =>
        exception is { Type: EventType.HardwareException, Vector: (byte)ExceptionVector.PageFault }
            ? new GuestLinearAddress(Backend.GetRegister(RegisterName.Cr2))
            : null;
}
