// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>The state of a hypervisor's 8254 and its port 61h.</summary>
/// <param name="Counter0">The counter of interrupt 0.</param>
/// <param name="Counter1">The counter of the memory refresh.</param>
/// <param name="Counter2">The counter of the speaker.</param>
/// <param name="SpeakerEnabled">Bit 1 of port 61h.</param>
public readonly record struct Backend8254(
    Backend8254Counter Counter0, Backend8254Counter Counter1, Backend8254Counter Counter2, bool SpeakerEnabled);
