// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Engine.State;

/// <summary>The layout of classes that are arrays of numbered values: 16 bytes each, number at 0, value at 8.</summary>
internal readonly ref struct FieldArray(Span<byte> data)
{
    /// <summary>The length of an element.</summary>
    public const int ElementLength = 16;

    private const int ValueOffset = 8;

    private readonly Span<byte> _data = data;

    /// <summary>How many whole elements there are.</summary>
    public int Count => _data.Length / ElementLength;

    /// <summary>Whether nothing is behind the last element.</summary>
    public bool IsWhole => _data.Length % ElementLength == 0;

    /// <summary>The number of an element.</summary>
    public uint NumberOf(int index) => BinaryPrimitives.ReadUInt32LittleEndian(Element(index));

    /// <summary>The value of an element.</summary>
    public ulong ValueOf(int index) => BinaryPrimitives.ReadUInt64LittleEndian(Element(index)[ValueOffset..]);

    /// <summary>Writes an element.</summary>
    public void Set(int index, uint number, ulong value)
    {
        Span<byte> element = Element(index);
        element.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(element, number);
        BinaryPrimitives.WriteUInt64LittleEndian(element[ValueOffset..], value);
    }

    private Span<byte> Element(int index) => _data.Slice(index * ElementLength, ElementLength);
}
