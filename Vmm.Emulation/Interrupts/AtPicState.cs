// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of the 8259 pair.</summary>
public sealed record AtPicState
{
    /// <summary>The version of this record that <see cref="AtPic.Save"/> writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of this record.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The first chip, at ports 0x20 and 0x21.</summary>
    public Pic8259State Master { get; init; } = new();

    /// <summary>The second chip, at ports 0xA0 and 0xA1.</summary>
    public Pic8259State Slave { get; init; } = new();

    /// <summary>Whether the second chip's output is high, as the first one's edge detector has seen it.</summary>
    public bool SlaveRaised { get; init; }
}
