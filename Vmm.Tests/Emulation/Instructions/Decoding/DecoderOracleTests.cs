// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Tests.Emulation.Instructions.Oracle;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>The decoder against Iced: validity, length, operation, registers, memory operand, immediates, sizes.</summary>
public sealed class DecoderOracleTests
{
    private static readonly byte[][] s_prefixes =
    [
        [], [0x66], [0xF2], [0xF3], [0xF0], [0x4D], [0x67], [0x64], [0x2E], [0x66, 0xF2], [0xF3, 0x66], [0xF2, 0xF3], [0x66, 0x67], [0x48], [0x45], [0x66, 0x4F],
        [0xF3, 0x48], [0x48, 0x66], [0xF0, 0x48], [0x65, 0x26],
    ];

    [Test]
    public void Every_opcode_and_ModRM_under_every_prefix_decodes_as_Iced_does([Values] CodeSize codeSize, [Values(0, 1, 2, 3)] int map)
        => Differences(codeSize, Exhaustive(map, s_prefixes[..6])).Should().BeEmpty();

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Every_opcode_and_ModRM_under_stacked_prefixes_decodes_as_Iced_does([Values] CodeSize codeSize, [Values(0, 1, 2, 3)] int map)
        => Differences(codeSize, Exhaustive(map, s_prefixes)).Should().BeEmpty();

    [Test]
    public void Every_VEX_opcode_decodes_as_Iced_does([Values] CodeSize codeSize, [Values(1, 2, 3)] int map)
        => Differences(codeSize, ExhaustiveVex(map)).Should().BeEmpty();

    [Test]
    public void Random_windows_decode_as_Iced_does([Values] CodeSize codeSize, [Values(0, 1, 2, 3)] int shape)
        => Differences(codeSize, RandomWindows(100_000, 17 + shape, shape)).Should().BeEmpty();

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Millions_of_random_windows_decode_as_Iced_does([Values] CodeSize codeSize, [Values(0, 1, 2, 3)] int shape)
        => Differences(codeSize, RandomWindows(5_000_000, unchecked(1000 + shape + OracleTest.LongSeed), shape)).Should().BeEmpty();

    private static List<string> Differences(CodeSize codeSize, IEnumerable<byte[]> windows)
    {
        IcedComparison comparison = new(codeSize);
        List<string> differences = [];
        foreach (byte[] window in windows)
        {
            if (comparison.Compare(window) is { } difference && differences.Count < 20)
            {
                differences.Add(difference);
            }
        }

        return differences;
    }

    private static IEnumerable<byte[]> Exhaustive(int map, byte[][] prefixes)
    {
        byte[] escape = map switch
        {
            0 => [],
            1 => [0x0F],
            2 => [0x0F, 0x38],
            _ => [0x0F, 0x3A],
        };
        Random random = new(map);
        byte[] window = new byte[Decoder.MaximumLength];
        foreach (byte[] prefix in prefixes)
        {
            for (int opcodeAndModRm = 0; opcodeAndModRm < 0x10000; opcodeAndModRm++)
            {
                // SIB, displacement and immediates are anything; they differ from case to case.
                random.NextBytes(window);
                prefix.CopyTo(window, 0);
                escape.CopyTo(window, prefix.Length);
                window[prefix.Length + escape.Length] = (byte)(opcodeAndModRm >> 8);
                window[prefix.Length + escape.Length + 1] = (byte)opcodeAndModRm;
                yield return window;
            }
        }
    }

    private static IEnumerable<byte[]> ExhaustiveVex(int map)
    {
        Random random = new(map);
        byte[] window = new byte[Decoder.MaximumLength];
        for (int payload = 0; payload < 16; payload += random.Next(1, 4))
        {
            for (int opcodeAndModRm = 0; opcodeAndModRm < 0x10000; opcodeAndModRm++)
            {
                random.NextBytes(window);
                bool registerFree = (opcodeAndModRm & 1) != 0;
                window[0] = 0xC4;
                window[1] = (byte)(0xC0 | (random.Next(2) << 5) | map);
                window[2] = (byte)((payload & 8) << 4 | (registerFree ? 0x78 : random.Next(16) << 3) | payload & 7);
                window[3] = (byte)(opcodeAndModRm >> 8);
                window[4] = (byte)opcodeAndModRm;
                yield return window;
            }
        }
    }

    /// <summary>Windows that a uniform choice of bytes would rarely begin with: two-byte opcodes, VEX, and stacks of prefixes.</summary>
    private static IEnumerable<byte[]> RandomWindows(int count, int seed, int shape)
    {
        Random random = new(seed);
        byte[] prefixes = [0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x40, 0x48, 0x4F, 0x41];
        byte[] window = new byte[Decoder.MaximumLength];
        for (int i = 0; i < count; i++)
        {
            random.NextBytes(window);
            if (shape == 1)
            {
                window[0] = 0x0F;
            }
            else if (shape == 2)
            {
                window[0] = (byte)(0xC4 + random.Next(2));
                window[1] |= 0xC0;
                window[1] = window[0] == 0xC4 ? (byte)(window[1] & 0xE3 | random.Next(4)) : window[1];
            }
            else if (shape == 3)
            {
                int at = random.Next(1, 14);
                for (int j = 0; j < at; j++)
                {
                    window[j] = prefixes[random.Next(prefixes.Length)];
                }

                window[at] = random.Next(2) == 0 ? (byte)0x0F : window[at];
            }

            yield return window;
        }
    }
}
