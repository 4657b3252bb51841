// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>
/// Page tables that KVM derives from the guest's, where the processor cannot walk those itself. KVM notices when the guest writes
/// its tables; it does not notice when this process does.
/// </content>
internal sealed partial class KvmVm
{
    private const string ShadowsMade = "mmu_cache_miss";

    private readonly Lock _shadowLock = new();
    private KvmStatsFd? _statistics;
    private KvmStatistic? _shadowsMade;
    private MemoryMapping? _shadowPage;
    private ulong _shadowsForgotten;

    /// <inheritdoc/>
    public bool TryCompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired, out bool exchanged)
    {
        exchanged = WideAtomics.IsSupported && WideAtomics.CompareExchange16(ref at, ref expected, desired);
        return WideAtomics.IsSupported;
    }

    /// <summary>
    /// Makes KVM drop all tables that it has derived from the guest's, if it has made any since the last time. Deleting a memory
    /// slot does that, whatever the slot.
    /// </summary>
    public void ForgetShadows()
    {
        if (!Backend.ShadowsPageTables)
        {
            return;
        }

        lock (_shadowLock)
        {
            ulong made = CountShadows();
            if (made == _shadowsForgotten)
            {
                return;
            }

            _shadowPage ??= MemoryMapping.Create(PageSize.Bytes);
            uint slot = (uint)_maxSlots;
            _vm.SetUserMemoryRegion(slot, KvmMemoryRegionFlags.None, FreePage(), _shadowPage, 0, PageSize.Bytes);
            _vm.DeleteMemoryRegion(slot);
            _shadowsForgotten = made;
        }
    }

    /// <summary>How many tables KVM has made; a number that always differs where it does not count them.</summary>
    private ulong CountShadows()
    {
        if (_statistics is null && Has(KvmCapability.BinaryStatsFd))
        {
            _statistics = _vm.GetStatsFd();
            _shadowsMade = _statistics.ReadDescriptors().FirstOrDefault(statistic => statistic.Name == ShadowsMade);
        }

        return _shadowsMade is not null && _statistics is not null ? _statistics.ReadFirst(_shadowsMade) : _shadowsForgotten + 1;
    }

    /// <summary>A page of the guest-physical space without memory, below the pages that VMX needs.</summary>
    private ulong FreePage()
    {
        lock (_lock)
        {
            ulong address = IdentityMapAddress - PageSize.Bytes;
            while (_placements.Exists(placement => placement is not null && placement.Range.Contains(new GuestPhysicalAddress(address))))
            {
                address -= PageSize.Bytes;
            }

            return address;
        }
    }
}
