// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Emulation.Interrupts;

/// <summary>Writes an exchange layout from front to back; the caller has checked its length.</summary>
internal ref struct LayoutWriter(Span<byte> data)
{
    private Span<byte> _rest = data;

    public void Byte(byte value) => Take(sizeof(byte))[0] = value;

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(sizeof(uint)), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(sizeof(ulong)), value);

    private Span<byte> Take(int length)
    {
        Span<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
