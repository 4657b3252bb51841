// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Globalization;

namespace Vmm.Machine.Replay;

/// <summary>
/// Everything from outside that a repeatable run depends on beside its image: the seed and the input. As text, one line each: a title,
/// the seed, each input with its time and bytes, and at the end, if the guest came to one by itself, what the run was.
/// </summary>
public sealed record InputRecording
{
    /// <summary>
    /// How often input is looked for, in nanoseconds of the VM's clock: recorder and player stop the guest at the same times, whether there
    /// is input or not.
    /// </summary>
    public const long Interval = 1_000_000;

    private const string Title = "vmm input 1";
    private const string SeedWord = "seed";
    private const string InputWord = "input";
    private const string EndWord = "end";

    /// <summary>The seed of the run's random bits.</summary>
    public ulong Seed { get; init; }

    /// <summary>The input, in order of time; each time is a multiple of <see cref="Interval"/>.</summary>
    public ImmutableArray<InputEvent> Inputs { get; init; } = [];

    /// <summary>How the run ended: its instructions and the hash of its state; null where it was stopped from outside.</summary>
    public string? End { get; init; }

    /// <summary>The lines with which a recording begins.</summary>
    public static string FormatHead(ulong seed) => string.Create(CultureInfo.InvariantCulture, $"{Title}\n{SeedWord} {seed}\n");

    /// <summary>The line of an input.</summary>
    public static string Format(InputEvent input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return string.Create(CultureInfo.InvariantCulture, $"{InputWord} {input.Time} {Convert.ToHexStringLower(input.Data.AsSpan())}\n");
    }

    /// <summary>The line of the end.</summary>
    public static string FormatEnd(string end) => $"{EndWord} {end}\n";

    /// <summary>Reads a recording. One without an end, of a run that was cut short, is complete up to there.</summary>
    /// <exception cref="FormatException">It is none; the message says which line is wrong.</exception>
    public static InputRecording Parse(TextReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (reader.ReadLine() != Title)
        {
            throw new FormatException($"it does not begin with '{Title}'");
        }

        ulong? seed = null;
        string? end = null;
        List<InputEvent> inputs = [];
        int number = 1;
        while (reader.ReadLine() is { } line)
        {
            number++;
            string[] words = line.Split(' ', 2);
            string rest = words.Length == 2 ? words[1] : "";
            bool isRight = words[0] switch
            {
                SeedWord when seed is null => TryParseSeed(rest, out seed),
                InputWord when end is null => TryAdd(inputs, rest),
                EndWord when end is null && rest.Length != 0 => (end = rest) is not null,
                _ => false,
            };
            if (!isRight)
            {
                throw new FormatException($"line {number} is not a part of a recording: {line}");
            }
        }

        return seed is { } found
            ? new InputRecording { Seed = found, Inputs = [.. inputs], End = end }
            : throw new FormatException("it has no seed");
    }

    private static bool TryParseSeed(string text, out ulong? seed)
    {
        bool isNumber = ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
        seed = isNumber ? number : null;
        return isNumber;
    }

    private static bool TryAdd(List<InputEvent> inputs, string text)
    {
        string[] words = text.Split(' ');
        if (words.Length != 2
            || !long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out long time)
            || time % Interval != 0
            || (inputs.Count != 0 && time <= inputs[^1].Time)
            || words[1].Length is 0 or > ushort.MaxValue)
        {
            return false;
        }

        byte[] data = new byte[words[1].Length / 2];
        bool isHex = words[1].Length % 2 == 0
            && Convert.FromHexString(words[1], data, out _, out _) == System.Buffers.OperationStatus.Done;
        if (isHex)
        {
            inputs.Add(new InputEvent(time, [.. data]));
        }

        return isHex;
    }
}
