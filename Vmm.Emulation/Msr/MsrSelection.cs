// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>A range of registers and the accesses to them that are meant.</summary>
/// <param name="First">The first register.</param>
/// <param name="Last">The last register, not below the first.</param>
/// <param name="Directions">The accesses.</param>
public readonly record struct MsrSelection(MsrIndex First, MsrIndex Last, MsrDirections Directions = MsrDirections.Both)
{
    /// <summary>Reads a selection: <c>NAME</c>, <c>0x10</c>, <c>0x400-0x47f</c> or <c>IA32_MC0_CTL-IA32_MC3_MISC</c>, each
    /// with <c>:r</c> or <c>:w</c> when only reads or only writes are meant.</summary>
    /// <param name="text">The text.</param>
    /// <param name="selection">The selection.</param>
    /// <param name="problem">Otherwise what is wrong.</param>
    /// <returns>Whether the text is a selection.</returns>
    public static bool TryParse(string text, out MsrSelection selection, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        selection = default;
        string[] halves = text.Split(':');
        (bool isKnown, MsrDirections directions) = halves.Length switch
        {
            1 => (true, MsrDirections.Both),
            2 when halves[1] == "r" => (true, MsrDirections.Read),
            2 when halves[1] == "w" => (true, MsrDirections.Write),
            _ => (false, MsrDirections.None),
        };
        if (!isKnown)
        {
            problem = $"'{text}' is not a register or a range, alone or with :r or :w";
            return false;
        }

        string[] ends = halves[0].Split('-', 2);
        if (!MsrRegistry.TryParse(ends[0], out MsrIndex first, out problem)
            || !MsrRegistry.TryParse(ends[^1], out MsrIndex last, out problem))
        {
            return false;
        }

        if (last.Value < first.Value)
        {
            problem = $"'{text}' ends before it begins";
            return false;
        }

        selection = new MsrSelection(first, last, directions);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string range = First == Last ? MsrRegistry.NameOf(First) : $"{MsrRegistry.NameOf(First)}-{MsrRegistry.NameOf(Last)}";
        return Directions switch
        {
            MsrDirections.Read => $"{range}:r",
            MsrDirections.Write => $"{range}:w",
            _ => range,
        };
    }
}
