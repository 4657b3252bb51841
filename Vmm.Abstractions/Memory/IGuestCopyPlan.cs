// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>A copy to or from linear addresses, translated and held; disposing it lets the pages go.</summary>
[VmmKernelSymbol("vm_copy_teardown")]
public interface IGuestCopyPlan : IDisposable
{
    /// <summary>The page-bounded pieces, in order.</summary>
    IReadOnlyList<GuestCopyChunk> Chunks { get; }

    /// <summary>Copies from the guest.</summary>
    /// <param name="destination">As long as the plan.</param>
    [VmmKernelSymbol("vm_copyin")]
    void CopyIn(Span<byte> destination);

    /// <summary>Copies to the guest.</summary>
    /// <param name="source">As long as the plan.</param>
    [VmmKernelSymbol("vm_copyout")]
    void CopyOut(ReadOnlySpan<byte> source);
}
