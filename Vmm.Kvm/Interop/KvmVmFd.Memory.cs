// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <content>Memory slots, dirty logs, guest_memfd.</content>
internal sealed partial class KvmVmFd
{
    private readonly Lock _slotLock = new();
    private readonly Dictionary<uint, Slot> _slots = [];

    /// <summary>
    /// KVM_SET_USER_MEMORY_REGION over a part of a host mapping: creates the slot, moves it or changes its flags. The
    /// mapping stays alive as long as the slot or a vCPU of this VM does.
    /// </summary>
    /// <param name="slot">The slot; bits 16 and up are the address space.</param>
    /// <param name="flags">Write protection and dirty logging.</param>
    /// <param name="guestAddress">The first guest-physical address, a page multiple.</param>
    /// <param name="mapping">The host memory.</param>
    /// <param name="offset">The first byte of the mapping, a page multiple.</param>
    /// <param name="length">The length in bytes, a page multiple and not zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the mapping.</exception>
    /// <exception cref="Vmm.Abstractions.Errors.VmmException">EEXIST: it overlaps another slot; EINVAL.</exception>
    public void SetUserMemoryRegion(
        uint slot,
        KvmMemoryRegionFlags flags,
        ulong guestAddress,
        MappedRegion mapping,
        ulong offset,
        ulong length)
    {
        ArgumentNullException.ThrowIfNull(mapping);
        ArgumentOutOfRangeException.ThrowIfZero(length);
        mapping.CheckRange(offset, length);
        bool held = false;
        mapping.DangerousAddRef(ref held);
        try
        {
            KvmUserspaceMemoryRegion region = new()
            {
                Slot = slot,
                Flags = (uint)flags,
                GuestPhysAddr = guestAddress,
                MemorySize = length,
                UserspaceAddr = mapping.Address + offset,
            };
            KvmCapability? needs = flags.HasFlag(KvmMemoryRegionFlags.Readonly) ? KvmCapability.ReadonlyMem : null;
            lock (_slotLock)
            {
                Ioctl(KvmRequests.SetUserMemoryRegion, region, needs);
                Replace(slot, new Slot(length / LibC.PageSize, mapping));
                held = false;
            }
        }
        finally
        {
            if (held)
            {
                mapping.DangerousRelease();
            }
        }
    }

    /// <summary>
    /// KVM_SET_USER_MEMORY_REGION with the argument as it is; size zero deletes the slot. The caller answers for the
    /// host range staying mapped.
    /// </summary>
    public void SetUserMemoryRegion(in KvmUserspaceMemoryRegion region)
    {
        lock (_slotLock)
        {
            Ioctl(KvmRequests.SetUserMemoryRegion, region);
            Replace(region.Slot, new Slot(region.MemorySize / LibC.PageSize, null));
        }
    }

    /// <summary>KVM_SET_USER_MEMORY_REGION with size zero: deletes the slot and lets go of its mapping.</summary>
    public void DeleteMemoryRegion(uint slot) => SetUserMemoryRegion(new KvmUserspaceMemoryRegion { Slot = slot });

    /// <summary>
    /// KVM_SET_USER_MEMORY_REGION2 with the argument as it is. The caller answers for the host range staying mapped.
    /// </summary>
    public void SetUserMemoryRegion2(in KvmUserspaceMemoryRegion2 region)
    {
        lock (_slotLock)
        {
            Ioctl(KvmRequests.SetUserMemoryRegion2, region);
            Replace(region.Slot, new Slot(region.MemorySize / LibC.PageSize, null));
        }
    }

    /// <summary>KVM_SET_TSS_ADDR: three pages below 4 GiB that no slot covers; for VMX without unrestricted guests.</summary>
    public void SetTssAddr(uint address) => Ioctl(KvmRequests.SetTssAddr, (nint)address);

    /// <summary>KVM_SET_IDENTITY_MAP_ADDR: one page; before the first vCPU is created, else EINVAL.</summary>
    public void SetIdentityMapAddr(ulong address) => Ioctl(KvmRequests.SetIdentityMapAddr, address);

    /// <summary>KVM_SET_NR_MMU_PAGES: a bound on shadow pages; the kernel wants at least 20.</summary>
    public void SetNrMmuPages(uint pages) => Ioctl(KvmRequests.SetNrMmuPages, (nint)pages);

    /// <summary>KVM_GET_DIRTY_LOG: which pages of a slot were written since the last call, one bit each.</summary>
    /// <param name="slot">A slot with dirty logging.</param>
    /// <param name="bitmap">Receives the bits; a whole number of 64-bit words, see <see cref="DirtyBitmapLength"/>.</param>
    /// <exception cref="ArgumentException">The bitmap is too short, or the slot is not known.</exception>
    public unsafe void GetDirtyLog(uint slot, Span<byte> bitmap)
    {
        lock (_slotLock)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(bitmap.Length, DirtyBitmapLengthUnsynchronized(slot), nameof(bitmap));

            // SAFETY: pinned for the call and as long as the slot's bitmap; the lock keeps the slot from growing.
            fixed (byte* pointer = bitmap)
            {
                Ioctl(KvmRequests.GetDirtyLog, new KvmDirtyLog { Slot = slot, DirtyBitmap = (ulong)pointer });
            }
        }
    }

    /// <summary>The bytes of a slot's dirty bitmap: one bit a page, in whole 64-bit words.</summary>
    /// <exception cref="ArgumentException">The slot is not known.</exception>
    public int DirtyBitmapLength(uint slot)
    {
        lock (_slotLock)
        {
            return DirtyBitmapLengthUnsynchronized(slot);
        }
    }

    /// <summary>KVM_CLEAR_DIRTY_LOG: protects the pages again whose bits are set; with manual protection on.</summary>
    /// <param name="slot">A slot with dirty logging.</param>
    /// <param name="firstPage">The first page, a multiple of 64.</param>
    /// <param name="pages">How many; a multiple of 64 unless the range ends with the slot.</param>
    /// <param name="bitmap">One bit for each page.</param>
    /// <exception cref="ArgumentException">The bitmap is too short.</exception>
    public unsafe void ClearDirtyLog(uint slot, ulong firstPage, uint pages, ReadOnlySpan<byte> bitmap)
    {
        ulong needed = ((ulong)pages + 63) / 64 * sizeof(ulong);
        ArgumentOutOfRangeException.ThrowIfLessThan((ulong)bitmap.Length, needed, nameof(bitmap));

        // SAFETY: pinned for the call and at least as long as the kernel reads for that many pages.
        fixed (byte* pointer = bitmap)
        {
            KvmClearDirtyLog argument = new()
            {
                Slot = slot,
                NumPages = pages,
                FirstPage = firstPage,
                DirtyBitmap = (ulong)pointer,
            };
            Ioctl(KvmRequests.ClearDirtyLog, ref argument);
        }
    }

    /// <summary>KVM_RESET_DIRTY_RINGS: takes back the harvested entries of all vCPUs; returns how many.</summary>
    public int ResetDirtyRings() => Ioctl(KvmRequests.ResetDirtyRings);

    /// <summary>KVM_REGISTER_COALESCED_MMIO; a port range needs KVM_CAP_COALESCED_PIO.</summary>
    public void RegisterCoalescedMmio(in KvmCoalescedMmioZone zone) =>
        Ioctl(KvmRequests.RegisterCoalescedMmio, zone, zone.Pio != 0 ? KvmCapability.CoalescedPio : null);

    /// <summary>KVM_UNREGISTER_COALESCED_MMIO.</summary>
    public void UnregisterCoalescedMmio(in KvmCoalescedMmioZone zone) =>
        Ioctl(KvmRequests.UnregisterCoalescedMmio, zone, zone.Pio != 0 ? KvmCapability.CoalescedPio : null);

    /// <summary>KVM_SET_MEMORY_ATTRIBUTES.</summary>
    public void SetMemoryAttributes(ulong address, ulong size, KvmMemoryAttribute attributes) =>
        Ioctl(
            KvmRequests.SetMemoryAttributes,
            new KvmMemoryAttributes { Address = address, Size = size, Attributes = (ulong)attributes });

    /// <summary>KVM_CREATE_GUEST_MEMFD.</summary>
    /// <param name="size">Bytes, a page multiple.</param>
    /// <param name="flags">Flags; any needs KVM_CAP_GUEST_MEMFD_FLAGS.</param>
    public GuestMemfd CreateGuestMemfd(ulong size, KvmGuestMemfdFlags flags)
    {
        KvmCreateGuestMemfd argument = new() { Size = size, Flags = (ulong)flags };
        int result = Ioctl(
            KvmRequests.CreateGuestMemfd,
            ref argument,
            flags == KvmGuestMemfdFlags.None ? null : KvmCapability.GuestMemfdFlags);
        return new GuestMemfd(result, this, size);
    }

    private int DirtyBitmapLengthUnsynchronized(uint slot) =>
        _slots.TryGetValue(slot, out Slot known)
            ? checked((int)((known.Pages + 63) / 64 * sizeof(ulong)))
            : throw new ArgumentException($"there is no memory slot {slot}", nameof(slot));

    private void Replace(uint slot, Slot with)
    {
        _slots.Remove(slot, out Slot before);
        if (with.Pages != 0)
        {
            _slots.Add(slot, with);
        }

        before.Mapping?.DangerousRelease();
    }

    private void ReleaseSlots()
    {
        lock (_slotLock)
        {
            foreach (Slot slot in _slots.Values)
            {
                slot.Mapping?.DangerousRelease();
            }

            _slots.Clear();
        }
    }

    private readonly record struct Slot(ulong Pages, SafeHandle? Mapping);
}
