// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Msr;

/// <summary>
/// Answers for the registers that no layer has: those that operating systems touch on every machine by what is known about
/// them (<see cref="MsrLayer.Policy"/>), the others by policy. Immutable; any thread. Does not allocate.
/// </summary>
/// <param name="policy">What happens to the others.</param>
/// <param name="vendor">Whose processor the guest sees; unknown for either.</param>
public sealed class UnknownMsrs(UnknownMsrPolicy policy, CpuVendor vendor = CpuVendor.Unknown)
{
    /// <summary>What happens to the others.</summary>
    public UnknownMsrPolicy Policy => policy;

    /// <summary>Answers a read.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value; 0 unless handled.</param>
    /// <returns>How it ended; unhandled when the embedder is to be asked.</returns>
    public MsrOutcome Read(MsrIndex index, out ulong value)
    {
        value = 0;
        if (TryFind(index, out MsrDescription description) && description.Rule != MsrRule.WriteIgnored)
        {
            value = description.Reset;
            return MsrOutcome.Handled;
        }

        return Decide();
    }

    /// <summary>Answers a write.</summary>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns>How it ended; unhandled when the embedder is to be asked.</returns>
    public MsrOutcome Write(MsrIndex index, ulong value)
    {
        if (!TryFind(index, out MsrDescription description))
        {
            return Decide();
        }

        return description.Rule switch
        {
            MsrRule.Ignored or MsrRule.WriteIgnored => MsrOutcome.Handled,
            MsrRule.Reserved => value == description.Reset ? MsrOutcome.Handled : Decide(),
            _ => Decide(),
        };
    }

    private bool TryFind(MsrIndex index, out MsrDescription description) =>
        MsrRegistry.TryFind(index, out description)
        && description.Layer == MsrLayer.Policy
        && (description.Vendor == CpuVendor.Unknown || vendor == CpuVendor.Unknown || description.Vendor == vendor);

    private MsrOutcome Decide() => policy switch
    {
        UnknownMsrPolicy.ReadZeroIgnoreWrite => MsrOutcome.Handled,
        UnknownMsrPolicy.Ask => MsrOutcome.Unhandled,
        _ => MsrOutcome.GeneralProtection,
    };
}
