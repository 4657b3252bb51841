// SPDX-License-Identifier: BSD-2-Clause

using Serilog;

namespace Vmm.Kvm;

/// <summary>How <c>/dev/kvm</c> is opened and used.</summary>
public sealed record KvmBackendOptions
{
    /// <summary>The device's path.</summary>
    public string DevicePath { get; init; } = "/dev/kvm";

    /// <summary>
    /// The signal that makes a running vCPU return, 35 to 64. It is ignored process-wide and blocked in threads while they
    /// run a vCPU. 34 is the .NET runtime's own.
    /// </summary>
    public int KickSignal { get; init; } = 40;

    /// <summary>
    /// Whether general registers travel through the run page where the host can do that. Off, they cost a request each
    /// way; for comparison and for tests.
    /// </summary>
    public bool UseSyncedRegisters { get; init; } = true;

    /// <summary>
    /// Whether an emulation failure is an exit and nothing else, where the host can do that. Off as on older hosts, for tests.
    /// </summary>
    internal bool ExitOnEmulationFailure { get; init; } = true;

    /// <summary>
    /// Entries of the ring of written pages that each vCPU gets in a VM that tracks them, a power of two from 256 to 65536; 0 for the
    /// bitmap of each memory slot instead, which is also used where the host has no rings or lets them overflow. A full ring costs an exit; a bitmap costs a
    /// look at the whole slot.
    /// </summary>
    public int DirtyRingEntries { get; init; }

    /// <summary>Whether rings of written pages are used on a host that may let them overflow; for tests that write little.</summary>
    internal bool TrustDirtyRing { get; init; }

    /// <summary>Receives the driver's messages; silent when null.</summary>
    public ILogger? Logger { get; init; }
}
