// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Machine.Boot;

/// <summary>
/// An image is refused: it is truncated, mangled, of the wrong kind, or does not fit the machine. Nothing has been
/// written to guest memory when a loader throws it.
/// </summary>
public sealed class BootImageException : Exception
{
    /// <summary>Describes a refusal.</summary>
    /// <param name="kind">Which input is refused.</param>
    /// <param name="offset">Byte offset in that input, from its beginning, of the field or data at fault.</param>
    /// <param name="field">The field's name in its specification, or what lies at the offset.</param>
    /// <param name="problem">What is wrong, with the values seen; a sentence without its full stop.</param>
    /// <param name="remedy">What to do about it; a sentence without its full stop.</param>
    /// <param name="innerException">The decoder's own error, if there is one.</param>
    public BootImageException(
        BootImageKind kind, long offset, string field, string problem, string remedy, Exception? innerException = null)
        : base(Describe(kind, offset, field, problem, remedy), innerException)
    {
        Kind = kind;
        Offset = offset;
        Field = field;
        Problem = problem;
        Remedy = remedy;
    }

    /// <summary>Which input is refused.</summary>
    public BootImageKind Kind { get; }

    /// <summary>Byte offset in that input of the field or data at fault.</summary>
    public long Offset { get; }

    /// <summary>The field's name in its specification, or what lies at <see cref="Offset"/>.</summary>
    public string Field { get; }

    /// <summary>What is wrong, with the values seen.</summary>
    public string Problem { get; }

    /// <summary>What to do about it.</summary>
    public string Remedy { get; }

    private static string Describe(BootImageKind kind, long offset, string field, string problem, string remedy) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind}: {field} at offset 0x{offset:x}: {problem}. {remedy}.");
}
