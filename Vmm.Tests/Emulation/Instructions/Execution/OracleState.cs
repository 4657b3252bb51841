// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Random registers for an oracle.</summary>
internal static class OracleState
{
    internal const ulong StatusFlags = 0x8D5;

    /// <summary>Fills registers and an XSAVE area that XRSTOR takes: valid header and MXCSR, no pending x87 exceptions.</summary>
    internal static void Randomize(Random random, Span<ulong> registers, Span<byte> extended)
    {
        foreach (ref ulong register in registers)
        {
            // Values near the interesting edges as often as arbitrary ones.
            ulong value = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            register = random.Next(6) switch
            {
                0 => (ulong)random.Next(256),
                1 => ulong.MaxValue - (ulong)random.Next(4),
                2 => 1UL << random.Next(64),
                3 => value & 0xFFFF_FFFF,
                _ => value,
            };
        }

        random.NextBytes(extended);
        extended[..32].Clear();
        BitConverter.TryWriteBytes(extended, (ushort)0x37F);
        extended[4] = (byte)random.Next(256);
        extended[3] = (byte)(random.Next(8) << 3);
        BitConverter.TryWriteBytes(extended[24..], 0x1F80 | random.Next(64));
        extended[416..576].Clear();
        extended[512] = 7;
        for (int register = 0; register < 8; register++)
        {
            extended.Slice(32 + register * 16 + 10, 6).Clear();
        }
    }

    /// <summary>Any status flags, interrupts enabled.</summary>
    internal static ulong RandomFlags(Random random) => (ulong)random.Next() & StatusFlags | 0x202;
}
