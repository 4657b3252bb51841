// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;

namespace Vmm.Engine.Msr;

/// <summary>The MSR handlers of a VM.</summary>
internal sealed class MsrSpace : IMsrSpace
{
    /// <summary>The handlers by index.</summary>
    public RangeTable<IMsrHandler> Handlers { get; } = new();

    /// <inheritdoc/>
    public IDisposable Attach(MsrIndex first, MsrIndex last, IMsrHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (last.Value < first.Value)
        {
            EngineThrow.Invalid("IMsrSpace.Attach", $"{last} lies before {first}");
        }

        if (!Handlers.TryAdd(first.Value, last.Value, handler))
        {
            EngineThrow.Refuse(
                "IMsrSpace.Attach", VmmError.EEXIST, $"{first} to {last} overlaps the range of another handler");
        }

        return new Registration(() => Handlers.Remove(first.Value));
    }
}
