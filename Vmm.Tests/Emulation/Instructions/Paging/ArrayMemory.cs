// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Tests.Emulation.Instructions.Paging;

/// <summary>Physical memory in an array, with helpers to build page tables in it.</summary>
internal readonly struct ArrayMemory(byte[] bytes) : IPhysicalMemory
{
    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        if (physicalAddress > (ulong)bytes.Length || (ulong)length > (ulong)bytes.Length - physicalAddress)
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref bytes[physicalAddress];
    }

    internal ulong this[int address]
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(address));
        set => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(address), value);
    }

    internal uint Entry32(int address) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(address));

    internal void SetEntry32(int address, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(address), value);
}
