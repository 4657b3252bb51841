// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Memory;
using Vmm.Software.Interop;

namespace Vmm.Software;

/// <summary>Guest memory over a mapping of the host.</summary>
internal sealed class SoftwareMemoryBlock : GuestMemoryBlock
{
    public SoftwareMemoryBlock(ulong length, in GuestMemoryOptions options)
        : base(length)
    {
        Memory = HostMemory.Map(length, options);
    }

    /// <summary>The mapping.</summary>
    public HostMemory Memory { get; }

    /// <inheritdoc/>
    public override void Wire(ulong offset, ulong length) => Memory.Lock(offset, length);

    /// <inheritdoc/>
    protected override Span<byte> GetSpanUnchecked(ulong offset, int length) => Memory.Slice(offset, length);

    /// <inheritdoc/>
    protected override void Free() => Memory.Dispose();
}
