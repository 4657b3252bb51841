// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Msr;

namespace Vmm.Cli.Run;

/// <summary>What <c>vmm run</c> is told about model-specific registers.</summary>
internal static class MsrOptions
{
    /// <summary>The policy's option.</summary>
    public static Option<string> CreatePolicy(string defaultText) => new("--msr-policy")
    {
        HelpName = "gp|ignore|ask",
        Description = "What a guest gets for a model-specific register that neither KVM nor the engine has: a general-protection fault; zero, with writes ignored; or its end, with a report of the register.",
        DefaultValueFactory = _ => defaultText,
    };

    /// <summary>The filter's option.</summary>
    public static Option<string> CreateFilter(string defaultText) => new("--msr-filter")
    {
        HelpName = "all|only:LIST|but:LIST",
        Description = "Which model-specific registers KVM may handle: all that it knows, only those, or all but those. LIST has names, indices and ranges, each with :r or :w for reads or writes alone, such as but:IA32_PAT,0x400-0x47f:w.",
        DefaultValueFactory = _ => defaultText,
    };

    /// <summary>Reads the policy.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public static UnclaimedMsr ParsePolicy(string text) => text switch
    {
        "gp" => UnclaimedMsr.GeneralProtection,
        "ignore" => UnclaimedMsr.ReadZeroIgnoreWrite,
        "ask" => UnclaimedMsr.Exit,
        _ => throw new UsageException($"--msr-policy: '{text}' is not gp, ignore or ask"),
    };

    /// <summary>Reads the filter, and makes sure that it can be had.</summary>
    /// <exception cref="UsageException">It is none, or it takes more ranges than KVM has.</exception>
    public static MsrExposurePolicy ParseFilter(string text)
    {
        if (!MsrExposurePolicy.TryParse(text, out MsrExposurePolicy? policy, out string? problem))
        {
            throw new UsageException($"--msr-filter: {problem}");
        }

        try
        {
            _ = policy.Compile();
            return policy;
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.ENOSPC)
        {
            throw new UsageException($"--msr-filter: {refusal.Message}");
        }
    }
}
