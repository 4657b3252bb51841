// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>
/// The guest-physical address space as the host reaches it (<c>struct vmspace</c>): bounds-checked copies, atomic
/// exchanges and holds on mapped memory, with the protection of the mapping respected.
/// </summary>
/// <remarks>
/// Every member may be called from any thread, also while vCPUs run. Guest memory changes at any time while a vCPU
/// runs: copy a structure out once, validate the copy and use the copy. Writes are visible to host-side dirty tracking.
/// </remarks>
[VmmKernelSymbol("vmspace")]
public interface IGuestMemory
{
    /// <summary>Copies guest memory to the host; the range may span adjoining mappings.</summary>
    /// <param name="address">The first guest-physical address.</param>
    /// <param name="destination">Receives the bytes; untouched where the method returns <see langword="false"/>.</param>
    /// <returns><see langword="false"/> when any byte is not mapped or not readable.</returns>
    bool TryRead(GuestPhysicalAddress address, Span<byte> destination);

    /// <summary>Copies host bytes to guest memory; nothing is written unless all of it can be.</summary>
    /// <param name="address">The first guest-physical address.</param>
    /// <param name="source">The bytes.</param>
    /// <returns><see langword="false"/> when any byte is not mapped or not writable.</returns>
    bool TryWrite(GuestPhysicalAddress address, ReadOnlySpan<byte> source);

    /// <summary>
    /// Replaces an aligned 32-bit value if it still is what the caller saw, atomically against the guest's own locked
    /// accesses.
    /// </summary>
    /// <param name="address">A multiple of 4.</param>
    /// <param name="expected">The value seen before.</param>
    /// <param name="replacement">The value to store.</param>
    /// <param name="exchanged">Whether the value was stored.</param>
    /// <returns><see langword="false"/> when the address is misaligned, not mapped or not writable.</returns>
    bool TryCompareExchange(GuestPhysicalAddress address, uint expected, uint replacement, out bool exchanged);

    /// <summary>The 64-bit form of the 32-bit exchange; the address is a multiple of 8.</summary>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="expected">The value seen before.</param>
    /// <param name="replacement">The value to store.</param>
    /// <param name="exchanged">Whether the value was stored.</param>
    /// <returns><see langword="false"/> when the address is misaligned, not mapped or not writable.</returns>
    bool TryCompareExchange(GuestPhysicalAddress address, ulong expected, ulong replacement, out bool exchanged);

    /// <summary>
    /// Holds a range inside one mapping and hands out its bytes; the memory stays in place until the hold is disposed,
    /// even if the mapping is removed meanwhile.
    /// </summary>
    /// <param name="address">The first guest-physical address.</param>
    /// <param name="length">Bytes to hold, at least 1.</param>
    /// <param name="access">Read, write or both; a hold for writing counts as a write to every page of it.</param>
    /// <param name="hold">The hold; dispose it on the same thread.</param>
    /// <returns>
    /// <see langword="false"/> when the range is not within one mapping or the mapping forbids the access.
    /// </returns>
    [VmmKernelSymbol("vm_get_vmclient")]
    bool TryHold(GuestPhysicalAddress address, int length, MemoryProtection access, out GuestMemoryHold hold);
}
