// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>A real-time clock with battery-backed memory (<c>struct vrtc</c>).</summary>
public interface IRtc : IVmmDataSource
{
    /// <summary>The clock's date and time.</summary>
    /// <exception cref="VmmException">EBUSY on setting: the guest holds the clock.</exception>
    DateTimeOffset Time { get; set; }

    /// <summary>Reads a byte of the memory.</summary>
    /// <param name="offset">0 to 127.</param>
    /// <returns>The byte.</returns>
    /// <exception cref="VmmException">EINVAL: the offset is out of range.</exception>
    byte ReadNvram(int offset);

    /// <summary>Writes a byte of the memory.</summary>
    /// <param name="offset">14 to 127, not 50 (the century).</param>
    /// <param name="value">The byte.</param>
    /// <exception cref="VmmException">EINVAL: the offset is out of range or belongs to the clock.</exception>
    void WriteNvram(int offset, byte value);
}
