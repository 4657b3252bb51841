// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Support;

/// <summary>
/// 64-bit code of pieces by which a kernel gets a processor into trouble: what hypervisors seldom emulate, system registers and tables, flags,
/// far transfers, devices, and any bytes.
/// </summary>
internal static class RandomCode
{
    /// <summary>Behind an exception the code goes on one byte further.</summary>
    /// <param name="vector">The vector, in 64-bit mode.</param>
    public static byte[] SkippingHandler(int vector)
    {
        bool hasErrorCode = vector is 8 or (>= 10 and <= 14) or 17 or 21 or 29 or 30;

        // add rsp, 8; inc qword [rsp]; iretq
        ReadOnlySpan<byte> handler = [0x48, 0x83, 0xc4, 0x08, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf];
        return handler[(hasErrorCode ? 0 : 4)..].ToArray();
    }

    private static readonly byte[][] s_fixed =
    [
        [0xcc], [0xf1], [0xf4], [0xfa], [0xfb], [0xfc], [0xfd], [0x9c], [0x9d], [0x90], [0xf3, 0x90],
        [0x0f, 0x01, 0xca], [0x0f, 0x01, 0xcb], [0x0f, 0x01, 0xd0], [0x0f, 0x01, 0xd1], [0x0f, 0x01, 0xf8], [0x0f, 0x01, 0xf9],
        [0x0f, 0x05], [0x0f, 0x34], [0x48, 0x0f, 0x07], [0x48, 0x0f, 0x35], [0x0f, 0x06], [0x0f, 0x08], [0x0f, 0x09],
        [0x0f, 0x30], [0x0f, 0x32], [0x0f, 0x33], [0x0f, 0x31], [0x0f, 0xa2], [0x48, 0xcf], [0xcf], [0x48, 0xcb], [0xc3],
        [0xec], [0xed], [0xee], [0xef], [0xf3, 0x6c], [0xf3, 0x6d], [0xf3, 0x6e], [0xf3, 0x6f], [0xf3, 0x48, 0xa5], [0xf3, 0xa4],
        [0xf3, 0x48, 0xab], [0xf3, 0xa6], [0xf2, 0xae], [0x8e, 0xd0], [0x8e, 0xd8], [0x8e, 0xe0], [0x0f, 0xa1], [0x0f, 0xa9],

        // pushfq; or dword [rsp], TF; popfq
        [0x9c, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9d],

        // pushfq; xor dword [rsp], NT, AC and IF; popfq
        [0x9c, 0x81, 0x34, 0x24, 0x00, 0x42, 0x04, 0x00, 0x9d],
    ];

    /// <summary>Opcodes with a ModRM byte whose operand may be in memory.</summary>
    private static readonly byte[][] s_modRm =
    [
        [0xf3, 0x0f, 0xb8], [0xf3, 0x48, 0x0f, 0xb8], [0x0f, 0xc7], [0xf0, 0x48, 0x0f, 0xc7], [0xf0, 0x0f, 0xc1], [0xf0, 0x48, 0x0f, 0xb1],
        [0xf0, 0x01], [0xf0, 0x48, 0x0f, 0xab], [0x48, 0x87], [0x0f, 0xae], [0x48, 0x0f, 0xae], [0xf3, 0x0f, 0xae], [0x0f, 0x01], [0x0f, 0x00],
        [0xff], [0x48, 0xff], [0xf6], [0x48, 0xf7], [0x48, 0x8b], [0x88], [0x48, 0x89], [0x66, 0x0f, 0x6f], [0x66, 0x0f, 0x7f], [0x0f, 0x10],
        [0x0f, 0x11], [0xc4, 0xe2, 0xf0, 0xf2], [0xc4, 0xe2, 0xf3, 0xf5], [0xc4, 0xe1, 0x7c, 0x10], [0xc4, 0xe1, 0x7c, 0x11], [0x0f, 0x38, 0xf0],
        [0x66, 0x0f, 0x38, 0xf6], [0xdd], [0xdb], [0x8e], [0x0f, 0xb2], [0x48, 0x63], [0x66, 0x0f, 0x38, 0x82],
    ];

    private static readonly uint[] s_msrs =
    [
        0x10, 0x1b, 0x3a, 0x8b, 0x174, 0x175, 0x176, 0x1a0, 0x1d9, 0x277, 0x2ff, 0x6e0, 0x802, 0x808, 0x80b, 0x80f, 0x830, 0x832, 0xda0, 0xc0000080,
        0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0x4b564d00, 0x4b564d01, 0x40000000,
    ];

    /// <summary>Fills memory with code.</summary>
    /// <param name="random">Where from.</param>
    /// <param name="code">The memory.</param>
    /// <param name="addresses">What address registers get, besides anything.</param>
    public static void Fill(Random random, Span<byte> code, ReadOnlySpan<ulong> addresses)
    {
        random.NextBytes(code);
        int at = 0;
        Span<byte> piece = stackalloc byte[32];
        while (true)
        {
            int length = Write(random, piece, addresses);
            if (at + length > code.Length)
            {
                return;
            }

            piece[..length].CopyTo(code[at..]);
            at += length;
        }
    }

    private static int Write(Random random, Span<byte> piece, ReadOnlySpan<ulong> addresses)
    {
        switch (random.Next(9))
        {
            case 0 or 1:
                return Copy(s_fixed[random.Next(s_fixed.Length)], piece);
            case 2 or 3:
                return WriteModRm(random, piece);
            case 4 or 5:
                // mov reg, address
                ulong address = random.Next(6) == 0 ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : addresses[random.Next(addresses.Length)];
                piece[0] = 0x48;
                piece[1] = (byte)(0xb8 + random.Next(8));
                BitConverter.TryWriteBytes(piece[2..], address);
                return 10;
            case 6:
                // mov ecx, register; mov eax, value; WRMSR or RDMSR
                piece[0] = 0xb9;
                BitConverter.TryWriteBytes(piece[1..], s_msrs[random.Next(s_msrs.Length)]);
                piece[5] = 0xb8;
                BitConverter.TryWriteBytes(piece[6..], random.Next(2) == 0 ? random.Next(0x1000) : random.Next());
                piece[10] = 0x0f;
                piece[11] = random.Next(3) == 0 ? (byte)0x32 : (byte)0x30;
                return 12;
            case 7 when random.Next(6) == 0:
                // xor ecx, ecx; xor edx, edx; mov eax, value; xsetbv
                return Copy([0x31, 0xc9, 0x31, 0xd2, 0xb8, (byte)random.Next(256), (byte)random.Next(4), 0, 0, 0x0f, 0x01, 0xd1], piece);
            case 7:
                // MOV from or to a control or debug register, or a change of one bit of it.
                return random.Next(2) == 0
                    ? Copy([0x0f, (byte)(0x20 + random.Next(4)), (byte)(0xc0 + random.Next(0x40))], piece)
                    : ToggleControlBit(random, piece);
            default:
                int length = random.Next(1, 8);
                random.NextBytes(piece[..length]);
                return length;
        }
    }

    private static int WriteModRm(Random random, Span<byte> piece)
    {
        int length = Copy(s_modRm[random.Next(s_modRm.Length)], piece);
        int form = random.Next(4);

        // A register; or [reg], [reg + displacement of 8 bits], [reg + displacement of 32 bits].
        piece[length++] = (byte)(random.Next(0x40) | (form << 6));
        random.NextBytes(piece.Slice(length, 6));
        return length + (form == 1 ? 1 : form == 2 ? 4 : 0);
    }

    /// <summary>mov rax, crN; btc rax, bit; mov crN, rax</summary>
    private static int ToggleControlBit(Random random, Span<byte> piece)
    {
        byte register = random.Next(3) switch { 0 => 0xc0, 1 => 0xd8, _ => 0xe0 };
        return Copy([0x0f, 0x20, register, 0x48, 0x0f, 0xba, 0xf8, (byte)random.Next(32), 0x0f, 0x22, register], piece);
    }

    private static int Copy(ReadOnlySpan<byte> bytes, Span<byte> piece)
    {
        bytes.CopyTo(piece);
        return bytes.Length;
    }
}
