// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

public sealed class DecoderTests
{
    private static readonly string s_cases = Path.Combine(AppContext.BaseDirectory, "Data", "decode-cases.txt");

    /// <summary>Lines of mode, bytes, outcome, comment: the outcome is mnemonic and length, or why there is none.</summary>
    public static IEnumerable<TestCaseData> Cases()
    {
        int number = 0;
        foreach (string line in File.ReadLines(s_cases))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            string[] columns = line.Split(';', StringSplitOptions.TrimEntries);
            yield return new TestCaseData(Enum.Parse<CodeSize>("Bits" + columns[0]), Convert.FromHexString(columns[1].Replace(" ", "", StringComparison.Ordinal)), columns[2])
                .SetName($"Decode_line_{number}_{columns[0]}_{columns[1].Replace(" ", "", StringComparison.Ordinal)}");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Bytes_decode_as_the_manual_says(CodeSize codeSize, byte[] bytes, string outcome)
    {
        DecodeStatus status = Decoder.Decode(bytes, codeSize, out Instruction instruction);

        string actual = status == DecodeStatus.Decoded ? $"{instruction.Mnemonic} {instruction.Length}" : status.ToString();
        actual.Should().Be(outcome);
    }

    [Test]
    public void Every_cut_of_a_valid_instruction_needs_more_bytes([Values] CodeSize codeSize)
    {
        Random random = new(5);
        byte[] window = new byte[Decoder.MaximumLength];
        List<string> wrong = [];
        for (int i = 0; i < 200_000; i++)
        {
            random.NextBytes(window);
            if (Decoder.Decode(window, codeSize, out Instruction instruction) != DecodeStatus.Decoded)
            {
                continue;
            }

            for (int length = 0; length < instruction.Length; length++)
            {
                DecodeStatus status = Decoder.Decode(window.AsSpan(0, length), codeSize, out _);
                if (status != DecodeStatus.NeedMoreBytes)
                {
                    wrong.Add($"{Convert.ToHexString(window)} cut to {length}: {status}");
                }
            }
        }

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Bytes_behind_the_instruction_do_not_matter([Values] CodeSize codeSize)
    {
        Random random = new(6);
        byte[] window = new byte[Decoder.MaximumLength];
        List<string> wrong = [];
        for (int i = 0; i < 200_000; i++)
        {
            random.NextBytes(window);
            DecodeStatus whole = Decoder.Decode(window, codeSize, out Instruction instruction);
            if (whole == DecodeStatus.Decoded
                && (Decoder.Decode(window.AsSpan(0, instruction.Length), codeSize, out Instruction exact) != whole || exact.Length != instruction.Length))
            {
                wrong.Add(Convert.ToHexString(window));
            }
        }

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Decoding_allocates_nothing()
    {
        byte[] window = new byte[Decoder.MaximumLength];
        Random random = new(7);
        Decoder.Decode(window, CodeSize.Bits64, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100_000; i++)
        {
            random.NextBytes(window);
            Decoder.Decode(window, CodeSize.Bits64, out _);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }
}
