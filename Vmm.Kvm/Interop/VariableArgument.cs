// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>An ioctl argument of a head and a number of elements behind it, in pooled memory.</summary>
/// <typeparam name="THead">The head.</typeparam>
/// <typeparam name="TElement">The element.</typeparam>
internal readonly ref struct VariableArgument<THead, TElement>
    where THead : unmanaged
    where TElement : unmanaged
{
    private readonly byte[] _array;
    private readonly int _length;

    /// <summary>Rents zeroed room for a head and elements.</summary>
    /// <param name="count">The number of elements.</param>
    public VariableArgument(int count)
    {
        _length = checked(Unsafe.SizeOf<THead>() + (count * Unsafe.SizeOf<TElement>()));
        _array = ArrayPool<byte>.Shared.Rent(_length);
        Bytes.Clear();
    }

    /// <summary>The whole argument.</summary>
    public Span<byte> Bytes => _array.AsSpan(0, _length);

    /// <summary>The head.</summary>
    public ref THead Head => ref MemoryMarshal.AsRef<THead>(Bytes);

    /// <summary>The elements.</summary>
    public Span<TElement> Elements => MemoryMarshal.Cast<byte, TElement>(Bytes[Unsafe.SizeOf<THead>()..]);

    /// <summary>Gives the room back.</summary>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_array);
}
