// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>A VM's time, from which every chip takes its own. Any thread.</summary>
public interface IVirtualClock
{
    /// <summary>Virtual nanoseconds since the VM's boot. Never goes back; stands still while the VM is paused.</summary>
    long Now { get; }
}
