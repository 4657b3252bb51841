// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Software.Interop;

namespace Vmm.Software;

/// <content>What the executor asks for: memory, devices, time, random bits.</content>
internal sealed partial class SoftwareVcpu
{
    /// <summary>Looks for memory in the whole map. Allocates nothing.</summary>
    public ref byte FindRam(ulong physicalAddress, int length, bool write)
    {
        MemoryRegion region = _vm.Find(physicalAddress, length);
        if (region == MemoryRegion.None || (write && region.IsReadOnly))
        {
            return ref Unsafe.NullRef<byte>();
        }

        ulong offset = physicalAddress - region.First;
        if (write)
        {
            region.NoteWrite(offset);
        }

        Region = region;
        return ref HostMemory.At(region.Host + (nint)offset);
    }

    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => Read(AccessKind.MemoryRead, physicalAddress, data);

    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data) => Write(AccessKind.MemoryWrite, physicalAddress, data);

    public BusOutcome ReadPort(ushort port, Span<byte> data) => Read(AccessKind.PortIn, port, data);

    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => Write(AccessKind.PortOut, port, data);

    /// <summary>The guest's time-stamp counter; false where the instruction has to begin anew for it to be exact.</summary>
    public bool TryReadTsc(out ulong value)
    {
        value = unchecked(_vm.Clock.Ticks + _msrs.TscOffset);
        return IsTimeExact();
    }

    public bool TryGetRandom(out ulong value)
    {
        if (_vm.Time is { } time)
        {
            value = time.NextRandom();
            return true;
        }

        Unsafe.SkipInit(out value);
        RandomNumberGenerator.Fill(System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return true;
    }

    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        if (WideAtomics.IsSupported)
        {
            return WideAtomics.CompareExchange16(ref at, ref expected, desired);
        }

        // Whoever had memory meanwhile may have taken over which pages were written, this one too early.
        MemoryRegion region = Region;
        ulong offset = (ulong)Unsafe.ByteOffset(ref HostMemory.At(region.Host), ref at);
        BeginExclusive();
        region.NoteWrite(offset);
        UInt128 current = Unsafe.ReadUnaligned<UInt128>(ref at);
        bool isEqual = current == expected;
        expected = current;
        if (isEqual)
        {
            Unsafe.WriteUnaligned(ref at, desired);
        }

        EndExclusive();
        return isEqual;
    }

    public void BeginExclusive() => _vm.Exclusion.Begin(this);

    public void EndExclusive() => _vm.Exclusion.End(this);

    /// <summary>
    /// Time that instructions make passes behind a batch. What asks for it in the middle of one ends it, and is executed again alone.
    /// </summary>
    private bool IsTimeExact()
    {
        if (_vm.Time is null || _isAlone)
        {
            return true;
        }

        _refusal = Refusal.TimeIsAsked;
        return false;
    }

    private BusOutcome Read(AccessKind kind, ulong address, Span<byte> data)
    {
        if (Accesses.TryReplay(kind, address, data))
        {
            return BusOutcome.Done;
        }

        Accesses.Suspend(new DeviceAccess(kind, address, data.Length, 0));
        return BusOutcome.Pending;
    }

    private BusOutcome Write(AccessKind kind, ulong address, ReadOnlySpan<byte> data)
    {
        if (Accesses.TrySkip(kind, address, data.Length))
        {
            return BusOutcome.Done;
        }

        Span<byte> bytes = stackalloc byte[DeviceAccess.MaximumLength];
        bytes.Clear();
        data.CopyTo(bytes);
        Accesses.Suspend(new DeviceAccess(kind, address, data.Length, BinaryPrimitives.ReadUInt64LittleEndian(bytes)));
        return BusOutcome.Pending;
    }
}
