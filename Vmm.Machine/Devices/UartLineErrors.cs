// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>What can be wrong with a received character, with the bits of the line status register.</summary>
[Flags]
public enum UartLineErrors : byte
{
    /// <summary>Received as it should be.</summary>
    None = 0,

    /// <summary>A character was lost because nobody had read the one before it.</summary>
    Overrun = 0x02,

    /// <summary>The parity bit was wrong.</summary>
    Parity = 0x04,

    /// <summary>The stop bit was missing.</summary>
    Framing = 0x08,

    /// <summary>The line was held at the space level for longer than a character.</summary>
    Break = 0x10,
}
