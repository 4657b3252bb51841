// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>
/// Pages that the guest wrote: a bitmap for each slot, read and cleared by piece where the host can do that (api.rst,
/// KVM_CLEAR_DIRTY_LOG), or a ring for each vCPU (KVM_CAP_DIRTY_LOG_RING).
/// </content>
internal sealed partial class KvmVm
{
    private const uint SlotMask = 0xffff;
    private const int BitsPerWord = 64;

    /// <summary>Guards the rings, the scratch bitmap, and the records of placements; taken before the lock of placements.</summary>
    private readonly Lock _dirtyLock = new();
    private readonly List<DirtyRing> _rings = [];
    private ulong[] _scratch = [];
    private bool _clearsByHand;
    private uint _ringBytes;

    /// <summary>Whether written pages come through the vCPUs' rings.</summary>
    internal bool HasDirtyRings => _ringBytes != 0;

    /// <summary>Records a write by this process to memory that KVM was asked to watch.</summary>
    public void MarkWritten(GuestPhysicalAddress address, int length)
    {
        lock (_dirtyLock)
        {
            lock (_lock)
            {
                foreach (Placement? placement in _placements)
                {
                    if (placement is { Recorded: not null } && placement.Range.Contains(address))
                    {
                        ulong first = address.Value - placement.Range.Start.Value;
                        for (ulong page = first / PageSize.Bytes; page <= (first + (ulong)length - 1) / PageSize.Bytes; page++)
                        {
                            placement.Record(page);
                        }
                    }
                }
            }
        }
    }

    /// <summary>Takes all entries out of the vCPUs' rings, so that KVM can go on writing them.</summary>
    public void HarvestRings()
    {
        lock (_dirtyLock)
        {
            HarvestRingsUnsynchronized();
        }
    }

    private void HarvestRingsUnsynchronized()
    {
        if (!HasDirtyRings)
        {
            return;
        }

        bool any = false;
        foreach (DirtyRing ring in _rings)
        {
            while (ring.TryHarvest(out uint slot, out ulong page))
            {
                any = true;
                lock (_lock)
                {
                    uint number = slot & SlotMask;
                    if (number < _placements.Count)
                    {
                        _placements[(int)number]?.Record(page);
                    }
                }
            }
        }

        if (any && !_vm.IsClosed)
        {
            _vm.ResetDirtyRings();
        }
    }

    /// <summary>Chooses how written pages are told, before there are vCPUs and slots.</summary>
    private void ConfigureDirtyLog(in BackendVmOptions options)
    {
        if (!options.TrackDirty)
        {
            return;
        }

        uint wanted = (uint)Backend.DirtyRingEntries * (uint)Unsafe.SizeOf<KvmDirtyGfn>();
        if (wanted != 0)
        {
            int most = Math.Max(
                _vm.CheckExtension(KvmCapability.DirtyLogRing), _vm.CheckExtension(KvmCapability.DirtyLogRingAcqRel));
            if (most > 0 && Backend.IsDirtyRingReliable)
            {
                _ringBytes = Math.Min(wanted, (uint)most);
                _vm.EnableDirtyRing(_ringBytes);
                return;
            }

            KvmLog.NoDirtyRing(Backend.Log, Name);
        }

        KvmDirtyLogFlags modes = (KvmDirtyLogFlags)_vm.CheckExtension(KvmCapability.ManualDirtyLogProtect2);
        if (modes.HasFlag(KvmDirtyLogFlags.ManualProtectEnable))
        {
            _vm.EnableManualDirtyLogProtect(KvmDirtyLogFlags.ManualProtectEnable);
            _clearsByHand = true;
        }
    }

    private void AddRing(KvmVcpuFd vcpu)
    {
        if (HasDirtyRings)
        {
            DirtyRing ring = vcpu.MapDirtyRing(_ringBytes);
            lock (_dirtyLock)
            {
                _rings.Add(ring);
            }
        }
    }

    private void DisposeRings()
    {
        lock (_dirtyLock)
        {
            _rings.ForEach(ring => ring.Dispose());
            _rings.Clear();
        }
    }

    /// <summary>Adds what is recorded of a placement to the caller's bits, and forgets it.</summary>
    private void Drain(Placement placement, int slot, ulong firstPage, ulong pages, Span<ulong> bits)
    {
        lock (_dirtyLock)
        {
            if (placement.Recorded is not { } recorded)
            {
                return;
            }

            if (HasDirtyRings)
            {
                HarvestRingsUnsynchronized();
            }
            else if (!placement.IsDisposed)
            {
                DrainLog(slot, recorded.Length, firstPage, pages, bits);
            }

            for (int i = 0; i < recorded.Length; i++)
            {
                if (recorded[i] != 0)
                {
                    Interlocked.Or(ref bits[i], recorded[i]);
                    recorded[i] = 0;
                }
            }
        }
    }

    private void DrainLog(int slot, int words, ulong firstPage, ulong pages, Span<ulong> bits)
    {
        if (_scratch.Length < words)
        {
            _scratch = new ulong[words];
        }

        Span<ulong> log = _scratch.AsSpan(0, words);
        log.Clear();
        _vm.GetDirtyLog((uint)slot, MemoryMarshal.AsBytes(log));

        // Without clearing by hand the request above has taken everything already.
        int first = _clearsByHand ? (int)(firstPage / BitsPerWord) : 0;
        int count = _clearsByHand ? (int)((pages + BitsPerWord - 1) / BitsPerWord) : words;
        Span<ulong> wanted = log.Slice(first, count);
        if (!wanted.ContainsAnyExcept(0ul))
        {
            return;
        }

        if (_clearsByHand)
        {
            _vm.ClearDirtyLog((uint)slot, firstPage, (uint)pages, MemoryMarshal.AsBytes(wanted));
        }

        for (int i = 0; i < count; i++)
        {
            if (wanted[i] != 0)
            {
                Interlocked.Or(ref bits[first + i], wanted[i]);
            }
        }
    }

    private sealed class Placement(KvmVm vm, int slot, in MemoryPlacement placement, KvmMemoryBlock block) : IDisposable, IDirtyLog
    {
        private int _disposed;

        public GuestPhysicalRange Range { get; } = placement.Range;

        public KvmMemoryBlock Block { get; } = block;

        public ulong Offset { get; } = placement.Offset;

        public bool IsDisposed => Volatile.Read(ref _disposed) != 0;

        /// <summary>Written pages that KVM no longer knows of; null where the guest cannot write or nobody asks.</summary>
        public ulong[]? Recorded { get; } = placement is { TrackDirty: true, ReadOnly: false }
            ? new ulong[((placement.Range.Length / PageSize.Bytes) + BitsPerWord - 1) / BitsPerWord]
            : null;

        public void Record(ulong page)
        {
            if (Recorded is { } recorded && page / BitsPerWord < (ulong)recorded.Length)
            {
                recorded[page / BitsPerWord] |= 1ul << (int)(page % BitsPerWord);
            }
        }

        public void Drain(ulong firstPage, ulong pages, Span<ulong> bits) => vm.Drain(this, slot, firstPage, pages, bits);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                // Entries of this slot must not be taken for those of the next one with its number.
                vm.HarvestRings();
                vm.Remove(slot);
            }
        }
    }
}
