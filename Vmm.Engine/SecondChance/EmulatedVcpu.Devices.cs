// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;

namespace Vmm.Engine.SecondChance;

/// <content>Devices, ports and registers that others serve, and accesses that others have to be kept away from.</content>
internal sealed partial class EmulatedVcpu
{
    private const uint TimeStampCounter = 0x10;

    private ExceptionDispatchInfo? _thrown;
    private bool _isExclusive;

    /// <summary>The accesses to devices of the present instruction.</summary>
    public AccessLog Accesses { get; } = new();

    /// <summary>The read-only memory that was written to, or null.</summary>
    public GuestPhysicalAddress? DroppedWrite { get; private set; }

    /// <summary>Throws what the handler of the access that waits has thrown, if it has.</summary>
    public void ThrowHeld()
    {
        ExceptionDispatchInfo? thrown = _thrown;
        _thrown = null;
        thrown?.Throw();
    }

    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => Read(AccessKind.MemoryRead, physicalAddress, data);

    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data)
    {
        if (WithoutDevice(Accesses.TrySkip(AccessKind.MemoryWrite, physicalAddress, data.Length), AccessKind.MemoryWrite, physicalAddress) is { } settled)
        {
            return settled;
        }

        ulong value = ToValue(data);
        if (_machine.Space.Find(new(physicalAddress)) is not null && !_cpu.IsDoorbell(physicalAddress))
        {
            DroppedWrite = new(physicalAddress);
            return Finish(AccessKind.MemoryWrite, physicalAddress, value, data.Length, BusOutcome.Done);
        }

        return Finish(AccessKind.MemoryWrite, physicalAddress, value, data.Length, Ask(AccessKind.MemoryWrite, physicalAddress, data.Length, ref value));
    }

    public BusOutcome ReadPort(ushort port, Span<byte> data) => Read(AccessKind.PortIn, port, data);

    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data)
    {
        if (WithoutDevice(Accesses.TrySkip(AccessKind.PortOut, port, data.Length), AccessKind.PortOut, port) is { } settled)
        {
            return settled;
        }

        ulong value = ToValue(data);
        return Finish(AccessKind.PortOut, port, value, data.Length, Ask(AccessKind.PortOut, port, data.Length, ref value));
    }

    /// <summary>Reads a model-specific register that no state here is.</summary>
    public BusOutcome ReadMsr(uint index, out ulong value) => ToOutcome(_cpu.ReadCarriedMsr(index, out value));

    /// <summary>Writes a model-specific register that no state here is.</summary>
    public BusOutcome WriteMsr(uint index, ulong value) => ToOutcome(_cpu.WriteCarriedMsr(index, value));

    /// <summary>The guest's time-stamp counter, as the hypervisor counts it.</summary>
    public ulong ReadTsc() => _transfer.ReadMsr(TimeStampCounter);

    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        if (_machine.BackendVm is IWideAtomics atomics
            && atomics.TryCompareExchange16(ref at, ref expected, desired, out bool exchanged))
        {
            return exchanged;
        }

        BeginExclusive();
        ref UInt128 target = ref Unsafe.As<byte, UInt128>(ref at);
        bool equal = target == expected;
        expected = target;
        target = equal ? desired : target;
        EndExclusive();
        return equal;
    }

    public void BeginExclusive()
    {
        _machine.Exclusion.Begin(_cpu);
        _isExclusive = true;
    }

    public void EndExclusive()
    {
        _isExclusive = false;
        _machine.Exclusion.End(_cpu);
    }

    private BusOutcome Read(AccessKind kind, ulong address, Span<byte> data)
    {
        if (WithoutDevice(Accesses.TryReplay(kind, address, data), kind, address) is { } settled)
        {
            return settled;
        }

        ulong value = 0;
        BusOutcome outcome = Ask(kind, address, data.Length, ref value);
        MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[..data.Length].CopyTo(data);
        return Finish(kind, address, value, data.Length, outcome);
    }

    /// <summary>
    /// Asks whoever serves an access. That is the embedder's code: it may take its time and may wait for another vCPU, so that none waits
    /// for this one meanwhile, not even while it has memory to itself; an access to a device is not atomic. What it throws is held back,
    /// and its access waits as one that nobody claims, until the state is stored (<see cref="ThrowHeld"/>).
    /// </summary>
    private BusOutcome Ask(AccessKind kind, ulong address, int length, ref ulong value)
    {
        LeaveMemory();
        try
        {
            switch (kind)
            {
                case AccessKind.MemoryRead:
                    return _cpu.ReadMmio(address, length, out value);
                case AccessKind.MemoryWrite:
                    return _cpu.WriteMmio(address, length, value);
                case AccessKind.PortIn:
                    BusOutcome outcome = _cpu.ReadPort((ushort)address, length, out uint input);
                    value = input;
                    return outcome;
                default:
                    return _cpu.WritePort((ushort)address, length, (uint)value);
            }
        }
        catch (Exception exception)
        {
            _thrown = ExceptionDispatchInfo.Capture(exception);
            return BusOutcome.Pending;
        }
        finally
        {
            ReturnToMemory();
        }
    }

    private void LeaveMemory()
    {
        if (_isExclusive)
        {
            _machine.Exclusion.End(_cpu);
        }

        _cpu.LeaveMemory();
    }

    private void ReturnToMemory()
    {
        if (_isExclusive)
        {
            _machine.Exclusion.Begin(_cpu);
        }
        else
        {
            _cpu.EnterMemory();
        }
    }

    /// <summary>What becomes of an access that no device is asked for: it was made before, or is not made here; null otherwise.</summary>
    private BusOutcome? WithoutDevice(bool wasMade, AccessKind kind, ulong address) => wasMade ? BusOutcome.Done
        : IsLeftToHypervisor(kind, address) ? BusOutcome.Refused
        : null;

    /// <summary>
    /// Behind the first instruction, what no device of the engine claims is the hypervisor's or an exit's, and the hypervisor makes
    /// that exit, unless the instruction has made another access already, which would be made again. The first instruction cannot go back;
    /// its access is refused only where the chip is inside the hypervisor.
    /// </summary>
    private bool IsLeftToHypervisor(AccessKind kind, ulong address)
    {
        if (!IsFirst && Accesses.Count == 0 && !_cpu.IsClaimed(kind, address))
        {
            return !Refuse(EmulationRefusal.LeftToHypervisor);
        }

        return HypervisorChips.Own(_machine.InterruptControllerMode, kind, address) && !_cpu.IsClaimed(kind, address)
            && !Refuse(EmulationRefusal.OwnedByHypervisor);
    }

    private static BusOutcome ToOutcome(MsrOutcome outcome) => outcome switch
    {
        MsrOutcome.Handled => BusOutcome.Done,
        MsrOutcome.GeneralProtection => BusOutcome.GeneralProtection,
        _ => BusOutcome.Refused,
    };

    private BusOutcome Finish(AccessKind kind, ulong address, ulong value, int length, BusOutcome outcome)
    {
        DeviceAccess access = new(kind, address, length, AccessLog.Truncate(value, length));
        access = outcome == BusOutcome.Pending && access.IsRead ? access with { Data = 0 } : access;
        switch (outcome)
        {
            case BusOutcome.Done:
                Accesses.Record(access);
                break;
            case BusOutcome.Pending:
                Accesses.Suspend(access);
                break;
            default:
                Refusal = EmulationRefusal.RefusedByDevice;
                break;
        }

        return outcome;
    }

    private static ulong ToValue(ReadOnlySpan<byte> data)
    {
        ulong value = 0;
        data.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return value;
    }
}
