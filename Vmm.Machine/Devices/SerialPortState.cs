// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>Everything that a <see cref="SerialPort"/> remembers.</summary>
/// <param name="Version">Which layout this is; <see cref="CurrentVersion"/> is what this build writes and reads.</param>
/// <param name="Chip">The chip's state.</param>
/// <param name="Input">Host input that the guest has not been given yet.</param>
public readonly record struct SerialPortState(int Version, UartState Chip, ReadOnlyMemory<byte> Input)
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;
}
