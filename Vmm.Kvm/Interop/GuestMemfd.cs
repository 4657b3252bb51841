// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>A guest_memfd: guest pages that need no host mapping.</summary>
/// <param name="fd">The descriptor.</param>
/// <param name="vm">The VM it belongs to.</param>
/// <param name="size">Bytes.</param>
internal sealed class GuestMemfd(int fd, KvmVmFd vm, ulong size) : Descriptor(fd, vm)
{
    /// <summary>Bytes.</summary>
    public ulong Size { get; } = size;
}
