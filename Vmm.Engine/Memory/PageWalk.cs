// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Text;
using Vmm.Abstractions.Addressing;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Engine.Memory;

/// <summary>How a linear address translates, for a person who looks for the reason of a failure.</summary>
/// <param name="Address">The linear address.</param>
/// <param name="Steps">The entries from the top level on; none without paging.</param>
/// <param name="Result">Where it ends.</param>
public sealed record PageWalk(GuestLinearAddress Address, ImmutableArray<PageWalkStep> Steps, Translation Result)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        StringBuilder text = new($"0x{Address.Value:x}");
        foreach (PageWalkStep step in Steps)
        {
            text.Append(step.IsInMemory
                ? $" > level {step.Level} at 0x{step.Address:x}: 0x{step.Entry:x}"
                : $" > level {step.Level} at 0x{step.Address:x}: not in memory");
        }

        text.Append(Result.Status switch
        {
            TranslationStatus.Mapped => $" > 0x{Result.PhysicalAddress:x}",
            TranslationStatus.PageFault => $" > page fault, error code 0x{Result.ErrorCode:x}",
            _ => " > a paging structure is not in memory",
        });
        return text.ToString();
    }
}
