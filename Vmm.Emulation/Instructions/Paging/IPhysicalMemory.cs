// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>Guest-physical RAM by reference, so that the walker and the executor can access it atomically and without a copy.</summary>
public interface IPhysicalMemory
{
    /// <summary>
    /// A reference to <paramref name="length"/> bytes of RAM that stay valid and in place until the current instruction ends, or a
    /// null reference where not all of them are RAM that may be accessed so. The range never crosses a 4 KiB page.
    /// </summary>
    /// <param name="physicalAddress">Any 64-bit value: the guest chose it.</param>
    /// <param name="length">1 to 4096.</param>
    /// <param name="write">Whether the bytes may be written through the reference; dirty tracking happens here.</param>
    ref byte Ram(ulong physicalAddress, int length, bool write);
}
