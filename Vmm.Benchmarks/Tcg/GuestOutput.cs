// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Text;

namespace Vmm.Benchmarks.Tcg;

/// <summary>What a guest wrote, each letter with the time at which it arrived.</summary>
internal sealed class GuestOutput
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly StringBuilder _text = new();
    private readonly List<TimeSpan> _times = [];

    /// <summary>All of it.</summary>
    internal string Text => _text.ToString();

    /// <summary>From the program's start to its end.</summary>
    internal TimeSpan Elapsed { get; private set; }

    /// <summary>Takes letters that have arrived now.</summary>
    internal void Add(ReadOnlySpan<byte> letters)
    {
        TimeSpan now = Stopwatch.GetElapsedTime(_start);
        foreach (byte letter in letters)
        {
            _text.Append((char)letter);
            _times.Add(now);
        }
    }

    /// <summary>The program has ended.</summary>
    internal void End() => Elapsed = Stopwatch.GetElapsedTime(_start);

    /// <summary>From the program's start to a text; null when it was not written.</summary>
    internal TimeSpan? Until(string text)
    {
        int at = Text.IndexOf(text, StringComparison.Ordinal);
        return at < 0 ? null : _times[at + text.Length - 1];
    }

    /// <summary>The times between a marker and the next one, of those that follow each other.</summary>
    internal double[] Passes(char marker)
    {
        string text = Text;
        return [.. Enumerable.Range(1, Math.Max(0, text.Length - 1))
            .Where(at => text[at] == marker && text[at - 1] == marker)
            .Select(at => (_times[at] - _times[at - 1]).TotalSeconds)];
    }
}
