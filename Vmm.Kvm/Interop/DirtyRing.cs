// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// A vCPU's ring of written pages. KVM produces; one thread at a time harvests, in order and without gaps, and then
/// KVM_RESET_DIRTY_RINGS takes the entries back (the protocol of the kernel's <c>api.rst</c>, KVM_CAP_DIRTY_LOG_RING).
/// </summary>
internal sealed unsafe class DirtyRing : MappedRegion
{
    private uint _next;

    private DirtyRing(void* address, nuint length)
        : base(address, length)
    {
    }

    /// <summary>The number of entries, a power of two.</summary>
    public uint Capacity => (uint)Length / (uint)sizeof(KvmDirtyGfn);

    /// <summary>Maps the ring of a vCPU.</summary>
    internal static DirtyRing Map(int vcpuFd, uint bytes)
    {
        void* address = LibC.mmap_shared(bytes, vcpuFd, (long)KvmConstants.DirtyLogPageOffset * LibC.PageSize);
        return address != null
            ? new DirtyRing(address, bytes)
            : throw KvmThrow.Host("mmap (dirty ring)", LibC.Errno);
    }

    /// <summary>Takes the oldest written page that was not taken yet.</summary>
    /// <param name="slot">The slot, with the address space in bits 16 and up.</param>
    /// <param name="page">The page's number inside the slot.</param>
    /// <returns>False when there is none.</returns>
    public bool TryHarvest(out uint slot, out ulong page)
    {
        bool held = false;
        DangerousAddRef(ref held);
        try
        {
            // SAFETY: the index is below the capacity, and the reference keeps the mapping.
            ref KvmDirtyGfn entry = ref Unsafe.AsRef<KvmDirtyGfn>(Pointer + ((_next % Capacity) * (uint)sizeof(KvmDirtyGfn)));
            if ((Volatile.Read(ref entry.Flags) & KvmConstants.DirtyGfnFMask) != (uint)KvmDirtyGfnFlags.Dirty)
            {
                slot = 0;
                page = 0;
                return false;
            }

            slot = entry.Slot;
            page = entry.Offset;

            // KVM reads the flag with acquire order: the entry must have been copied before.
            Volatile.Write(ref entry.Flags, (uint)KvmDirtyGfnFlags.Reset);
            _next++;
            return true;
        }
        finally
        {
            DangerousRelease();
        }
    }
}
