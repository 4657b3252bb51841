// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Operands of 1, 2, 4 and 8 bytes in 64 bits and back, for unsigned types. The base library's generic conversions do the same, and
/// take the runtime's compiler several times as long: it asks about each pair of types, in each of some hundred handlers.
/// </summary>
internal static class Integers
{
    /// <summary>The low bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Truncate<T>(ulong value)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() == sizeof(byte))
        {
            return Unsafe.BitCast<byte, T>((byte)value);
        }

        if (Unsafe.SizeOf<T>() == sizeof(ushort))
        {
            return Unsafe.BitCast<ushort, T>((ushort)value);
        }

        return Unsafe.SizeOf<T>() == sizeof(uint) ? Unsafe.BitCast<uint, T>((uint)value) : Unsafe.BitCast<ulong, T>(value);
    }

    /// <summary>With zeroes above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Widen<T>(T value)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() == sizeof(byte))
        {
            return Unsafe.BitCast<T, byte>(value);
        }

        if (Unsafe.SizeOf<T>() == sizeof(ushort))
        {
            return Unsafe.BitCast<T, ushort>(value);
        }

        return Unsafe.SizeOf<T>() == sizeof(uint) ? Unsafe.BitCast<T, uint>(value) : Unsafe.BitCast<T, ulong>(value);
    }

    /// <summary>With copies of the top bit above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long Extend<T>(T value)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() == sizeof(byte))
        {
            return Unsafe.BitCast<T, sbyte>(value);
        }

        if (Unsafe.SizeOf<T>() == sizeof(ushort))
        {
            return Unsafe.BitCast<T, short>(value);
        }

        return Unsafe.SizeOf<T>() == sizeof(uint) ? Unsafe.BitCast<T, int>(value) : Unsafe.BitCast<T, long>(value);
    }
}
