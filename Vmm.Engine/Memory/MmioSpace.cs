// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>The handlers of a VM for memory-mapped input and output.</summary>
internal sealed class MmioSpace : IMmioSpace
{
    /// <summary>The handlers by address.</summary>
    public RangeTable<IMmioHandler> Handlers { get; } = new();

    /// <inheritdoc/>
    public IDisposable Attach(GuestPhysicalRange range, IMmioHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (!Handlers.TryAdd(range.Start.Value, range.Last.Value, handler))
        {
            EngineThrow.Refuse("IMmioSpace.Attach", VmmError.EEXIST, $"{range} overlaps the range of another handler");
        }

        return new Registration(() => Handlers.Remove(range.Start.Value));
    }
}
