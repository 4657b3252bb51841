// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Memory;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>Guest memory over a mapping of the host.</summary>
internal sealed class KvmMemoryBlock : GuestMemoryBlock
{
    public KvmMemoryBlock(ulong length, in GuestMemoryOptions options)
        : base(length)
    {
        Mapping = MemoryMapping.Create(length, new MemoryMappingOptions
        {
            MemfdName = options.FileBacked ? $"vmm:{options.Name}" : null,
            SealSize = options.FileBacked,
            HugePageAdvice = options.HugePages,
            Wired = options.Wired,
        });
    }

    /// <summary>The mapping; memory slots take references of their own on it.</summary>
    public MemoryMapping Mapping { get; }

    /// <inheritdoc/>
    public override void Wire(ulong offset, ulong length) => Mapping.Lock(offset, length);

    /// <inheritdoc/>
    protected override Span<byte> GetSpanUnchecked(ulong offset, int length) => Mapping.Slice(offset, length);

    /// <inheritdoc/>
    protected override void Free() => Mapping.Dispose();
}
