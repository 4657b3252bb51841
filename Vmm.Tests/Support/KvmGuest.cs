// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Kvm;

namespace Vmm.Tests.Support;

/// <summary>A guest of KVM; without KVM making one ends the test with the reason.</summary>
internal sealed class KvmGuest : BackendGuest
{
    private KvmGuest(bool syncedRegisters, InterruptControllerMode mode, bool msrExits)
        : base(KvmRequirement.OpenBackend(new KvmBackendOptions { UseSyncedRegisters = syncedRegisters }), mode, msrExits)
    {
    }

    /// <summary>A guest in real mode with flat segments at 0.</summary>
    public static KvmGuest RealMode(
        ReadOnlySpan<byte> code,
        bool syncedRegisters = true,
        InterruptControllerMode mode = InterruptControllerMode.Userspace,
        bool msrExits = true)
    {
        KvmGuest guest = new(syncedRegisters, mode, msrExits);
        guest.BeginRealMode(code);
        return guest;
    }

    /// <summary>A guest in 64-bit kernel mode with the first 4 GiB mapped onto themselves.</summary>
    public static KvmGuest LongMode(
        ReadOnlySpan<byte> code,
        bool syncedRegisters = true,
        InterruptControllerMode mode = InterruptControllerMode.Userspace,
        bool msrExits = true)
    {
        KvmGuest guest = new(syncedRegisters, mode, msrExits);
        guest.BeginLongMode(code);
        return guest;
    }
}
