// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Composes ioctl request codes as the kernel's <c>asm-generic/ioctl.h</c> does on x86.</summary>
internal static class IoctlCode
{
    /// <summary>The argument is not a pointer to a structure: an integer by value, or nothing.</summary>
    public const uint None = 0;

    /// <summary>The caller writes: the kernel takes the argument in.</summary>
    public const uint Write = 1;

    /// <summary>The caller reads: the kernel fills the argument.</summary>
    public const uint Read = 2;

    private const uint KvmType = 0xae;
    private const int TypeShift = 8;
    private const int SizeShift = 16;
    private const int DirectionShift = 30;
    private const int SizeLimit = 1 << 14;

    /// <summary>Composes the code of a KVM request.</summary>
    /// <param name="direction">A combination of <see cref="Read"/> and <see cref="Write"/>, or <see cref="None"/>.</param>
    /// <param name="number">The number of the request.</param>
    /// <param name="size">The size of the argument in bytes, below 16384.</param>
    public static uint Encode(uint direction, byte number, int size)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(size, SizeLimit);

        // The header leaves the size out where it declares no direction.
        uint encodedSize = direction == None ? 0 : (uint)size;
        return (direction << DirectionShift) | (encodedSize << SizeShift) | (KvmType << TypeShift) | number;
    }
}
