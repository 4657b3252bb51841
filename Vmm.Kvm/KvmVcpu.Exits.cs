// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Translation of KVM's exits.</content>
internal sealed partial class KvmVcpu
{
    private const int ExitPayloadOffset = 32;
    private const int ExitPayloadLength = 256;
    private const ulong Dr6SingleStep = 1 << 14;

    private int _exitDataOffset;
    private int _exitDataLength;

    /// <summary>Translates what the run page says.</summary>
    internal void Decode(ref VmExit exit)
    {
        ref KvmRun run = ref _page.Run;
        KvmExitReason reason = (KvmExitReason)run.ExitReason;
        _exitDataLength = 0;
        switch (reason)
        {
            case KvmExitReason.Io:
                DecodePort(ref exit, ref run);
                break;
            case KvmExitReason.Mmio:
                DecodeMmio(ref exit, ref run);
                break;
            case KvmExitReason.X86Rdmsr or KvmExitReason.X86Wrmsr:
                bool isWrite = reason == KvmExitReason.X86Wrmsr;
                SetPending(reason, holdsWrites: true);
                exit.SetMsr(
                    isWrite, new MsrExit(new MsrIndex(run.Msr.Index), isWrite ? run.Msr.Data : 0, ToReason(run.Msr.Reason)), Regs.Rip);
                break;
            case KvmExitReason.Hypercall:
                SetPending(reason, holdsWrites: true);
                exit.SetHypercall(
                    new HypercallExit(
                        run.Hypercall.Nr,
                        run.Hypercall.Args[0],
                        run.Hypercall.Args[1],
                        run.Hypercall.Args[2],
                        run.Hypercall.Args[3],
                        run.Hypercall.Args[4],
                        ((KvmHypercallFlags)run.Hypercall.Flags).HasFlag(KvmHypercallFlags.LongMode)),
                    Regs.Rip);
                break;
            default:
                DecodeOther(ref exit, ref run, reason);
                break;
        }
    }

    private static MsrExitReason ToReason(uint reason) => (KvmMsrExitReason)reason switch
    {
        KvmMsrExitReason.Inval => MsrExitReason.Refused,
        KvmMsrExitReason.Filter => MsrExitReason.Filtered,
        _ => MsrExitReason.Unknown,
    };

    private void DecodePort(ref VmExit exit, ref KvmRun run)
    {
        bool isIn = (KvmIoDirection)run.Io.Direction == KvmIoDirection.In;
        if (!_page.TryGetIoData(out Span<byte> data))
        {
            exit.SetHypervisor(
                ExitCode.InternalError, new HypervisorExit(run.ExitReason, run.Io.DataOffset, run.Io.Size, run.Io.Count), Regs.Rip);
            return;
        }

        _exitDataOffset = (int)run.Io.DataOffset;
        _exitDataLength = data.Length;
        _isStringInput = isIn && run.Io.Count != 1;
        SetPending(KvmExitReason.Io, holdsWrites: isIn);
        PortFlags flags = (isIn ? PortFlags.In : PortFlags.None)
            | (run.Io.Count != 1 ? PortFlags.String | PortFlags.Repeat : PortFlags.None);
        uint value = isIn || run.Io.Count != 1
            ? 0
            : run.Io.Size switch
            {
                1 => data[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(data),
                _ => BinaryPrimitives.ReadUInt32LittleEndian(data),
            };
        exit.SetPort(
            new PortExit(run.Io.Port, run.Io.Size, flags, run.Io.Count, value),
            Regs.Rip,
            isIn ? RipPosition.AtInstruction : RipPosition.AtOrAfterInstruction);
    }

    private void DecodeMmio(ref VmExit exit, ref KvmRun run)
    {
        bool isRead = run.Mmio.IsWrite == 0;
        int length = (int)Math.Min(run.Mmio.Len, sizeof(ulong));
        _isStringInput = false;
        SetPending(KvmExitReason.Mmio, holdsWrites: isRead);
        ulong data = 0;
        if (!isRead)
        {
            data = MemoryMarshal.Read<ulong>(run.Mmio.Data);
            data &= ulong.MaxValue >> (64 - (length * 8));
        }

        exit.SetMmio(
            new MmioExit(new GuestPhysicalAddress(run.Mmio.PhysAddr), (byte)length, isRead, data),
            Regs.Rip,
            isRead ? RipPosition.AtInstruction : RipPosition.AfterInstruction);
    }

    private void DecodeOther(ref VmExit exit, ref KvmRun run, KvmExitReason reason)
    {
        ulong rip = Regs.Rip;
        switch (reason)
        {
            case KvmExitReason.Hlt:
                exit.SetValue(ExitCode.Hlt, Regs.Rflags, rip);
                break;
            case KvmExitReason.IrqWindowOpen:
                exit.Set(ExitCode.InterruptWindow, rip);
                break;
            case KvmExitReason.Shutdown:
                exit.Set(ExitCode.Shutdown, rip);
                break;
            case KvmExitReason.Intr:
                exit.Set(ExitCode.Bogus, rip);
                break;
            case KvmExitReason.FailEntry:
                exit.SetHypervisor(
                    ExitCode.EntryFailure,
                    new HypervisorExit(run.FailEntry.HardwareEntryFailureReason, run.FailEntry.Cpu),
                    rip);
                break;
            case KvmExitReason.InternalError:
                DecodeInternalError(ref exit, ref run, rip);
                if (exit.Code == ExitCode.InstructionEmulation && !_vm.ExitsOnEmulationFailure)
                {
                    CancelInvalidOpcode();
                }

                break;
            case KvmExitReason.SystemEvent:
                exit.SetHypervisor(
                    ExitCode.SystemEvent,
                    new HypervisorExit(
                        run.SystemEvent.Type, run.SystemEvent.Data[0], run.SystemEvent.Data[1], run.SystemEvent.Data[2]),
                    rip);
                break;
            case KvmExitReason.Debug:
                DecodeDebug(ref exit, ref run, rip);
                break;
            case KvmExitReason.IoapicEoi:
                exit.SetValue(ExitCode.IoapicEoi, run.Eoi.Vector, rip);
                break;
            case KvmExitReason.MemoryFault:
                exit.SetPaging(
                    ExitCode.MemoryFault,
                    new PagingExit(new GuestPhysicalAddress(run.MemoryFault.Gpa), MemoryProtection.None),
                    rip);
                break;
            case KvmExitReason.DirtyRingFull:
                exit.Set(ExitCode.DirtyRingFull, rip);
                break;
            case KvmExitReason.SetTpr:
                exit.Set(ExitCode.SetTpr, rip);
                break;
            case KvmExitReason.TprAccess:
                exit.SetHypervisor(
                    ExitCode.TprAccess, new HypervisorExit(run.TprAccess.IsWrite, run.TprAccess.Rip), rip);
                break;
            case KvmExitReason.Exception:
                exit.SetHypervisor(ExitCode.Exception, new HypervisorExit(run.Ex.Exception, run.Ex.ErrorCode), rip);
                break;
            case KvmExitReason.Notify:
                exit.SetHypervisor(ExitCode.Notify, new HypervisorExit(run.Notify.Flags), rip);
                break;
            case KvmExitReason.X86BusLock:
                exit.SetHypervisor(ExitCode.BusLock, new HypervisorExit(run.Flags), rip);
                break;
            case KvmExitReason.Hyperv:
                exit.SetHypervisor(ExitCode.Hyperv, new HypervisorExit(run.Hyperv.Type), rip);
                ShowPayload();
                break;
            case KvmExitReason.Xen:
                exit.SetHypervisor(ExitCode.Xen, new HypervisorExit(run.Xen.Type), rip);
                ShowPayload();
                break;
            default:
                // KVM_EXIT_UNKNOWN, the reasons of other architectures, and whatever a later kernel adds.
                exit.SetHypervisor(
                    ExitCode.Unknown, new HypervisorExit(run.ExitReason, run.Hw.HardwareExitReason), rip);
                ShowPayload();
                break;
        }
    }

    private static void DecodeDebug(ref VmExit exit, ref KvmRun run, ulong rip)
    {
        DebugExit debug = new(run.Debug.Exception, run.Debug.Pc, run.Debug.Dr6, run.Debug.Dr7);
        bool isStep = debug.Exception == 1 && (debug.Dr6 & Dr6SingleStep) != 0;
        exit.SetDebug(isStep ? ExitCode.MonitorTrap : ExitCode.Breakpoint, debug, rip);
    }

    private static void DecodeInternalError(ref VmExit exit, ref KvmRun run, ulong rip)
    {
        KvmInternalErrorSuberror suberror = (KvmInternalErrorSuberror)run.InternalError.Suberror;
        if (suberror != KvmInternalErrorSuberror.Emulation)
        {
            exit.SetHypervisor(
                ExitCode.InternalError,
                new HypervisorExit(
                    (ulong)suberror,
                    run.InternalError.Data[0],
                    run.InternalError.Data[1],
                    run.InternalError.Data[2]),
                rip);
            return;
        }

        ref KvmRunEmulationFailure failure = ref run.EmulationFailure;

        // The flags are the first data word; the instruction's length and bytes take the two after it.
        const int WordsWithBytes = 3;
        ulong flags = failure.Ndata >= 1 ? failure.Flags : 0;
        bool hasBytes = failure.Ndata >= WordsWithBytes
            && ((KvmEmulationFailureFlags)flags).HasFlag(KvmEmulationFailureFlags.InstructionBytes);
        ReadOnlySpan<byte> bytes = failure.InsnBytes;
        int count = hasBytes ? Math.Min((int)failure.InsnSize, bytes.Length) : 0;
        exit.SetInstructionEmulation(new InstructionEmulationExit(bytes[..count], (uint)suberror, flags), rip);
    }

    /// <summary>Takes back the exception that KVM queued together with a failure: somebody may execute the instruction yet.</summary>
    private void CancelInvalidOpcode()
    {
        BackendEvents events = Events;
        Events = events with
        {
            Injected = IsInvalidOpcode(events.Injected) ? EventInformation.None : events.Injected,
            Pending = IsInvalidOpcode(events.Pending) ? EventInformation.None : events.Pending,
        };
    }

    private static bool IsInvalidOpcode(EventInformation information) =>
        information is { IsValid: true, Type: EventType.HardwareException, Vector: (byte)ExceptionVector.InvalidOpcode };

    private void ShowPayload()
    {
        _exitDataOffset = ExitPayloadOffset;
        _exitDataLength = ExitPayloadLength;
    }

    private void SetPending(KvmExitReason reason, bool holdsWrites)
    {
        _pending = PendingOperation.Exit;
        _pendingReason = reason;
        _pendingHoldsWrites = holdsWrites;
    }
}
