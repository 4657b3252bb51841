// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Cli;

/// <summary>Sizes and times as the command line writes them.</summary>
internal static class Units
{
    /// <summary>More would not fit the timers of the runtime.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(24);

    /// <summary>Reads a size: a whole number with K, M, G or T, in powers of 1024.</summary>
    /// <param name="option">The option, for the message.</param>
    /// <param name="text">The text.</param>
    /// <returns>Bytes.</returns>
    /// <exception cref="UsageException">It is not a size, or too large to be one.</exception>
    public static ulong ParseSize(string option, string text)
    {
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch
        {
            'K' => 10,
            'M' => 20,
            'G' => 30,
            'T' => 40,
            _ => 0,
        };
        if (shift == 0
            || !ulong.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            || value > ulong.MaxValue >> shift)
        {
            throw new UsageException($"{option}: '{text}' is not a size; write a whole number with K, M, G or T, such as 512M");
        }

        return value << shift;
    }

    /// <summary>Reads a time: a number with ms, s, m or h; without a unit it is seconds.</summary>
    /// <param name="option">The option, for the message.</param>
    /// <param name="text">The text.</param>
    /// <returns>The time, more than zero and at most 24 days.</returns>
    /// <exception cref="UsageException">It is not such a time.</exception>
    public static TimeSpan ParseTime(string option, string text)
    {
        (string unit, double seconds) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => ("ms", 0.001),
            _ when text.EndsWith('s') => ("s", 1.0),
            _ when text.EndsWith('m') => ("m", 60.0),
            _ when text.EndsWith('h') => ("h", 3600.0),
            _ => ("", 1.0),
        };
        if (!double.TryParse(
                text.AsSpan(0, text.Length - unit.Length),
                NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out double value)
            || value * seconds < 0.001
            || value * seconds > s_longest.TotalSeconds)
        {
            throw new UsageException(
                $"{option}: '{text}' is not a time from 1 ms to 24 days; write a number with ms, s, m or h, such as 60s");
        }

        return TimeSpan.FromSeconds(value * seconds);
    }

    /// <summary>Reads a whole number in a range.</summary>
    /// <param name="option">The option, for the message.</param>
    /// <param name="text">The text.</param>
    /// <param name="least">The least.</param>
    /// <param name="most">The most.</param>
    /// <returns>The number.</returns>
    /// <exception cref="UsageException">It is not a number in that range.</exception>
    public static int ParseCount(string option, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
            ? value
            : throw new UsageException($"{option}: '{text}' is not a whole number from {least} to {most}");
}
