// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Engine.SecondChance;

namespace Vmm.Engine;

/// <content>The accesses of instructions that the engine executes: who serves them, and the exit for those that nobody does.</content>
public sealed partial class VirtualCpu
{
    /// <summary>Whether a device of the engine answers an access.</summary>
    internal bool IsClaimed(AccessKind kind, ulong address) => kind switch
    {
        AccessKind.PortIn => _machine.PortTable.Find((ushort)address) is not null,
        AccessKind.PortOut => _machine.PortTable.Find((ushort)address) is not null || HasDoorbell(BusKind.Port, address),
        AccessKind.MemoryRead => _machine.MmioTable.TryFind(address, out _),
        _ => _machine.MmioTable.TryFind(address, out _) || HasDoorbell(BusKind.Memory, address),
    };

    internal BusOutcome ReadMmio(ulong address, int bytes, out ulong value)
    {
        value = ulong.MaxValue;
        if (!TryFindMmio(address, bytes, out RangeTable<IMmioHandler>.Entry entry))
        {
            return UnclaimedMemory(address);
        }

        _mmioExits++;
        value = entry.Value.Read(this, address - entry.First, bytes);
        return BusOutcome.Done;
    }

    internal BusOutcome WriteMmio(ulong address, int bytes, ulong value)
    {
        if (TryRing(BusKind.Memory, address, bytes, value))
        {
            _mmioExits++;
            return BusOutcome.Done;
        }

        if (!TryFindMmio(address, bytes, out RangeTable<IMmioHandler>.Entry entry))
        {
            return UnclaimedMemory(address);
        }

        _mmioExits++;
        entry.Value.Write(this, address - entry.First, bytes, value);
        return BusOutcome.Done;
    }

    internal BusOutcome ReadPort(ushort port, int bytes, out uint value)
    {
        value = uint.MaxValue;
        IPortHandler? handler = _machine.PortTable.Find(port);
        if (handler is null)
        {
            return UnclaimedPort(port);
        }

        _portExits++;
        return Outcome(handler.Read(this, port, bytes, out value), port, ref value);
    }

    internal BusOutcome WritePort(ushort port, int bytes, uint value)
    {
        if (TryRing(BusKind.Port, port, bytes, value))
        {
            _portExits++;
            return BusOutcome.Done;
        }

        IPortHandler? handler = _machine.PortTable.Find(port);
        if (handler is null)
        {
            return UnclaimedPort(port);
        }

        _portExits++;
        return Outcome(handler.Write(this, port, bytes, value), port, ref value);
    }

    /// <summary>
    /// An access waits for the caller, and everything before it is done: shows it. If a handler has thrown, that comes out of the run
    /// instead.
    /// </summary>
    private Next ShowWaiting(IBackendVcpu backend, EmulatedVcpu emulated, bool delivers = false)
    {
        _deliversFirst = delivers;
        _shown = backend.GeneralRegisters;
        ShowAccess(emulated.Accesses.Waiting, emulated.State.Rip);
        emulated.ThrowHeld();
        return Next.Return;
    }

    private void ShowAccess(in DeviceAccess access, ulong rip)
    {
        if (access.IsPort)
        {
            PortFlags flags = access.IsRead ? PortFlags.In : PortFlags.None;
            _exit.SetPort(
                new PortExit((ushort)access.Address, (byte)access.Length, flags, 1, (uint)access.Data), rip, RipPosition.AtInstruction);
        }
        else
        {
            _exit.SetMmio(
                new MmioExit(new GuestPhysicalAddress(access.Address), (byte)access.Length, access.IsRead, access.Data),
                rip,
                RipPosition.AtInstruction);
        }
    }

    /// <summary>Gives the caller's answer to the instruction that waits; what it answers was compared with the exit.</summary>
    private void FulfillEmulation(ulong value)
    {
        ref readonly DeviceAccess waiting = ref _emulated!.Accesses.Waiting;
        _emulated.Accesses.TryFulfill(waiting.Kind, waiting.Address, waiting.Length, value);
    }

    private BusOutcome Outcome(PortOutcome outcome, ushort port, ref uint value)
    {
        switch (outcome)
        {
            case PortOutcome.Handled:
                return BusOutcome.Done;
            case PortOutcome.Refused:
                return BusOutcome.Refused;
            default:
                value = uint.MaxValue;
                return UnclaimedPort(port);
        }
    }
}
