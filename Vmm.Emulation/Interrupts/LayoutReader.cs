// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Emulation.Interrupts;

/// <summary>Reads an exchange layout from front to back; the caller has checked its length.</summary>
internal ref struct LayoutReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    public byte Byte() => Take(sizeof(byte))[0];

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    private ReadOnlySpan<byte> Take(int length)
    {
        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
