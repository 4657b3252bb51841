// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Run;

/// <summary>Where the guest's console goes.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Path">For a file its path.</param>
internal readonly record struct ConsoleTarget(ConsoleKind Kind, string Path = "")
{
    private const string FilePrefix = "file:";

    /// <summary>Reads <c>stdio</c>, <c>none</c> or <c>file:F</c>.</summary>
    /// <exception cref="UsageException">It is none of them.</exception>
    public static ConsoleTarget Parse(string option, string text) => text switch
    {
        "stdio" => new ConsoleTarget(ConsoleKind.Stdio),
        "none" => new ConsoleTarget(ConsoleKind.None),
        _ when text.Length > FilePrefix.Length && text.StartsWith(FilePrefix, StringComparison.Ordinal) =>
            new ConsoleTarget(ConsoleKind.File, text[FilePrefix.Length..]),
        _ => throw new UsageException($"{option}: '{text}' is not stdio, none or file:F with a file's name F"),
    };
}

/// <summary>Kinds of console.</summary>
internal enum ConsoleKind
{
    /// <summary>Output to standard output, input from standard input.</summary>
    Stdio = 0,

    /// <summary>Output is dropped.</summary>
    None,

    /// <summary>Output goes to a file.</summary>
    File,
}
