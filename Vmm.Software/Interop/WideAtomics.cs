// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics.X86;

namespace Vmm.Software.Interop;

/// <summary>LOCK CMPXCHG16B as a routine of machine code: .NET has no compare-exchange of 16 bytes.</summary>
internal static unsafe class WideAtomics
{
    private static readonly delegate* unmanaged[SuppressGCTransition]<byte*, UInt128*, ulong, ulong, byte> s_compareExchange =
        (delegate* unmanaged[SuppressGCTransition]<byte*, UInt128*, ulong, ulong, byte>)MapCode(
        [
            0x53,                         // push rbx
            0x48, 0x89, 0xd3,             // mov rbx, rdx          the low half of what shall be there; rcx has the high one
            0x48, 0x8b, 0x06,             // mov rax, [rsi]
            0x48, 0x8b, 0x56, 0x08,       // mov rdx, [rsi+8]
            0xf0, 0x48, 0x0f, 0xc7, 0x0f, // lock cmpxchg16b [rdi]
            0x48, 0x89, 0x06,             // mov [rsi], rax
            0x48, 0x89, 0x56, 0x08,       // mov [rsi+8], rdx
            0x0f, 0x94, 0xc0,             // sete al
            0x5b,                         // pop rbx
            0xc3,                         // ret
        ]);

    /// <summary>Whether this processor has the instruction and the host lets memory be executable.</summary>
    public static bool IsSupported { get; } = s_compareExchange != null && (X86Base.CpuId(1, 0).Ecx & (1 << 13)) != 0;

    /// <summary>Compares and exchanges 16 bytes, aligned to 16.</summary>
    /// <param name="at">Guest memory.</param>
    /// <param name="expected">What must be there; on a difference receives what is.</param>
    /// <param name="desired">What shall be there.</param>
    /// <returns>Whether it was exchanged.</returns>
    public static bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        // SAFETY: guest memory lies outside the garbage collector's heap; the other is pinned here.
        fixed (byte* target = &at)
        fixed (UInt128* comparand = &expected)
        {
            return s_compareExchange(target, comparand, (ulong)desired, (ulong)(desired >> 64)) != 0;
        }
    }

    /// <summary>Maps a page with machine code, executable and not writable; null where the host does not permit it. It stays mapped.</summary>
    private static void* MapCode(ReadOnlySpan<byte> code)
    {
        nint page = LibC.mmap_anonymous(LibC.PageSize);
        if (page == 0)
        {
            return null;
        }

        code.CopyTo(new Span<byte>((void*)page, code.Length));
        if (LibC.mprotect_code(page) == 0)
        {
            return (void*)page;
        }

        _ = LibC.munmap(page, LibC.PageSize);
        return null;
    }
}
