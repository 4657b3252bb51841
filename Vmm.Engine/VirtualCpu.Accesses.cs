// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Engine;

/// <content>Port and memory-mapped accesses of the guest.</content>
public sealed partial class VirtualCpu
{
    private Next HandlePort(IBackendVcpu backend)
    {
        ref readonly PortExit port = ref _exit.Port;
        IPortHandler? handler = _machine.PortTable.Find(port.Port);
        if (!port.IsIn && HasDoorbell(BusKind.Port, port.Port))
        {
            if (port.Count != 1)
            {
                return HandleString(backend, handler);
            }

            if (TryRing(BusKind.Port, port.Port, port.Bytes, port.Eax))
            {
                return Finish(backend, PortOutcome.Handled, 0);
            }
        }

        if (handler is null)
        {
            return UnclaimedPort(backend);
        }

        if (port.Count != 1)
        {
            return HandleString(backend, handler);
        }

        if (!port.IsIn)
        {
            return Finish(backend, handler.Write(this, port.Port, port.Bytes, port.Eax), 0);
        }

        PortOutcome outcome = handler.Read(this, port.Port, port.Bytes, out uint value);
        return Finish(backend, outcome, value);
    }

    private Next Finish(IBackendVcpu backend, PortOutcome outcome, uint value)
    {
        switch (outcome)
        {
            case PortOutcome.Handled:
                backend.Fulfill(value);
                return Next.Continue;
            case PortOutcome.Refused:
                ulong rip = _exit.Rip;
                Refusal = SecondChance.EmulationRefusal.RefusedByDevice;
                _exit.SetInstructionEmulation(default, rip);
                return Next.Return;
            default:
                return UnclaimedPort(backend);
        }
    }

    private Next HandleString(IBackendVcpu backend, IPortHandler? handler)
    {
        ref readonly PortExit port = ref _exit.Port;
        Span<byte> data = backend.ExitData;
        for (int at = 0; at + port.Bytes <= data.Length; at += port.Bytes)
        {
            Span<byte> element = data.Slice(at, port.Bytes);
            PortOutcome outcome = PortOutcome.Unclaimed;
            if (!port.IsIn)
            {
                uint value = ReadElement(element);
                outcome = TryRing(BusKind.Port, port.Port, port.Bytes, value) ? PortOutcome.Handled
                    : handler?.Write(this, port.Port, port.Bytes, value) ?? PortOutcome.Unclaimed;
            }
            else if (handler is not null)
            {
                outcome = handler.Read(this, port.Port, port.Bytes, out uint value);
                WriteElement(element, outcome == PortOutcome.Handled ? value : uint.MaxValue);
            }

            if (outcome != PortOutcome.Handled)
            {
                if (at == 0)
                {
                    return Finish(backend, outcome, 0);
                }

                _unclaimedPorts++;
            }
        }

        backend.Fulfill();
        return Next.Continue;
    }

    private Next UnclaimedPort(IBackendVcpu backend)
    {
        if (UnclaimedPort(_exit.Port.Port) == BusOutcome.Pending)
        {
            return Next.Return;
        }

        if (_exit.Port is { IsIn: true, Count: > 1 })
        {
            backend.ExitData.Fill(0xff);
        }

        backend.Fulfill(uint.MaxValue);
        return Next.Continue;
    }

    private Next HandleMmio(IBackendVcpu backend)
    {
        ref readonly MmioExit mmio = ref _exit.Mmio;
        ulong address = mmio.Address.Value;
        if (!mmio.IsRead && TryRing(BusKind.Memory, address, mmio.Bytes, mmio.Data))
        {
            backend.Fulfill();
            return Next.Continue;
        }

        if (TryFindMmio(address, mmio.Bytes, out RangeTable<IMmioHandler>.Entry entry))
        {
            if (mmio.IsRead)
            {
                backend.Fulfill(entry.Value.Read(this, address - entry.First, mmio.Bytes));
            }
            else
            {
                entry.Value.Write(this, address - entry.First, mmio.Bytes, mmio.Data);
                backend.Fulfill();
            }

            return Next.Continue;
        }

        if (!mmio.IsRead && _machine.Space.Find(mmio.Address) is not null)
        {
            // A write to read-only memory: the hypervisor reports it as memory-mapped output. It is dropped, and the
            // guest goes on behind it when the caller enters again.
            PagingExit paging = new(new GuestPhysicalAddress(address), MemoryProtection.Write);
            backend.Fulfill();
            _exit.SetPaging(ExitCode.Paging, paging, _exit.Rip, _exit.RipPosition);
            return Next.Return;
        }

        if (UnclaimedMemory(address) == BusOutcome.Pending)
        {
            return Next.Return;
        }

        backend.Fulfill(ulong.MaxValue);
        return Next.Continue;
    }

    private bool TryFindMmio(ulong address, int bytes, out RangeTable<IMmioHandler>.Entry entry) =>
        _machine.MmioTable.TryFind(address, out entry) && entry.Last - address >= (ulong)bytes - 1;

    /// <summary>Counts an access that nobody claims; pending where the caller wants it, done (all ones, dropped) otherwise.</summary>
    private BusOutcome UnclaimedPort(ushort port)
    {
        _unclaimedPorts++;
        return Unclaimed("port", port, _unclaimedPorts);
    }

    private BusOutcome UnclaimedMemory(ulong address)
    {
        _unclaimedMmio++;
        return Unclaimed("address", address, _unclaimedMmio);
    }

    private BusOutcome Unclaimed(string kind, ulong address, long count)
    {
        if (_machine.Options.UnclaimedAccess == UnclaimedAccess.Exit)
        {
            return BusOutcome.Pending;
        }

        if (count == 1)
        {
            EngineLog.FirstUnclaimed(_machine.Log, _machine.Name, kind, address);
        }

        return BusOutcome.Done;
    }

    private static uint ReadElement(ReadOnlySpan<byte> element) => element.Length switch
    {
        1 => element[0],
        2 => System.Buffers.Binary.BinaryPrimitives.ReadUInt16LittleEndian(element),
        _ => System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(element),
    };

    private static void WriteElement(Span<byte> element, uint value)
    {
        for (int i = 0; i < element.Length; i++)
        {
            element[i] = (byte)(value >> (i * 8));
        }
    }
}
