// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>
/// Which registers the hypervisor may handle by itself; accesses to the others come to this engine. Immutable. Written
/// <c>all</c>, <c>only:IA32_TSC,0xc0000080-0xc0000084</c> or <c>but:IA32_MC0_CTL-IA32_MC3_MISC:w</c>.
/// </summary>
/// <param name="Exposure">How the list is meant.</param>
/// <param name="Registers">The list; empty for all.</param>
public sealed record MsrExposurePolicy(MsrExposure Exposure, ImmutableArray<MsrSelection> Registers)
{
    /// <summary>The hypervisor handles all that it knows.</summary>
    public static MsrExposurePolicy All { get; } = new(MsrExposure.All, []);

    /// <summary>Reads a policy.</summary>
    /// <param name="text">The text.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="problem">Otherwise what is wrong.</param>
    /// <returns>Whether the text is a policy.</returns>
    public static bool TryParse(
        string text, [NotNullWhen(true)] out MsrExposurePolicy? policy, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        policy = null;
        if (text == "all")
        {
            policy = All;
            problem = null;
            return true;
        }

        string[] halves = text.Split(':', 2);
        if (halves.Length < 2 || halves[0] is not ("only" or "but"))
        {
            problem = $"'{text}' is not all, only:LIST or but:LIST";
            return false;
        }

        ImmutableArray<MsrSelection>.Builder registers = ImmutableArray.CreateBuilder<MsrSelection>();
        foreach (string part in halves[1].Split(','))
        {
            if (!MsrSelection.TryParse(part, out MsrSelection selection, out problem))
            {
                return false;
            }

            registers.Add(selection);
        }

        policy = new MsrExposurePolicy(halves[0] == "only" ? MsrExposure.Only : MsrExposure.AllBut, registers.ToImmutable());
        problem = null;
        return true;
    }

    /// <summary>Makes the policy ranges that a hypervisor can check.</summary>
    /// <returns>The filter.</returns>
    /// <exception cref="VmmException">ENOSPC: it takes more ranges than there may be; the message names what does not fit.</exception>
    public MsrFilter Compile() => MsrFilterCompiler.Compile(this);

    /// <inheritdoc/>
    public override string ToString() => Exposure switch
    {
        MsrExposure.Only => $"only:{string.Join(',', Registers)}",
        MsrExposure.AllBut => $"but:{string.Join(',', Registers)}",
        _ => "all",
    };
}
