// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine.Memory;
using WalkMode = Vmm.Emulation.Instructions.Paging.PagingMode;

namespace Vmm.Engine;

/// <content>Guest memory by linear address.</content>
public sealed partial class VirtualCpu : IGuestLinearMemory
{
    private const ulong Cr0Paging = 1ul << 31;
    private const ulong Cr4Pae = 1 << 5;
    private const ulong Cr4ProtectionKeys = 1 << 22;
    private const ulong EferLongModeActive = 1 << 10;

    private WrittenPages? _walkWrites;

    /// <summary>
    /// Translates a linear address as the vCPU is now, without any effect on the guest. Takes ownership for its duration.
    /// </summary>
    /// <param name="address">The address.</param>
    /// <param name="access">The access to translate for.</param>
    /// <returns>The walk.</returns>
    public PageWalk Walk(GuestLinearAddress address, PageAccess access)
    {
        TakeOwnership();
        try
        {
            return WalkOwned(CurrentPaging(Backend), address, access);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public GuestCopyOutcome PlanCopy(
        in GuestPaging paging,
        GuestLinearAddress address,
        int length,
        MemoryProtection access,
        out IGuestCopyPlan? plan)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        plan = null;
        TakeOwnership();
        try
        {
            PagingState state = PagingOf(Backend, paging);
            List<GuestPhysicalAddress> pages = [];
            for (ulong at = 0; at < (ulong)length; at += BytesLeftInPage(address.Value + at))
            {
                switch (Translate(state, paging, new(address.Value + at), access, out GuestPhysicalAddress page))
                {
                    case GuestCopyOutcome.Ready:
                        pages.Add(page);
                        break;
                    case GuestCopyOutcome other:
                        return other;
                }
            }

            return TryHoldPages(pages, length, access, out plan) ? GuestCopyOutcome.Ready : GuestCopyOutcome.NotMemory;
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    private static ulong BytesLeftInPage(ulong address) => PageSize.Bytes - (address & (PageSize.Bytes - 1));

    private GuestCopyOutcome Translate(
        in PagingState state,
        in GuestPaging paging,
        GuestLinearAddress address,
        MemoryProtection access,
        out GuestPhysicalAddress page)
    {
        page = default;
        int bits = state.Mode == WalkMode.FiveLevel ? 57 : 48;
        if (paging.CpuMode == CpuMode.Long64 && (long)(address.Value << (64 - bits)) >> (64 - bits) != (long)address.Value)
        {
            Inject(GuestException.GeneralProtection());
            return GuestCopyOutcome.Faulted;
        }

        PageAccess kind = ((access & MemoryProtection.Write) != 0 ? PageAccess.Write : PageAccess.Read)
            | ((access & MemoryProtection.Execute) != 0 ? PageAccess.Execute : PageAccess.Read)
            | (paging.Cpl == 3 ? PageAccess.User : PageAccess.Read);
        _walkWrites ??= new WrittenPages();
        GuestRam memory = new(_machine.Space, _walkWrites);
        Translation translation = PageWalker.Translate(ref memory, state, address.Value, kind);
        _walkWrites.Settle();
        switch (translation.Status)
        {
            case TranslationStatus.Mapped:
                page = new GuestPhysicalAddress(translation.PhysicalAddress);
                return GuestCopyOutcome.Ready;
            case TranslationStatus.PageFault:
                Inject(GuestException.PageFault(translation.ErrorCode, address));
                return GuestCopyOutcome.Faulted;
            default:
                return GuestCopyOutcome.NotMemory;
        }
    }

    private bool TryHoldPages(List<GuestPhysicalAddress> pages, int length, MemoryProtection access, out IGuestCopyPlan? plan)
    {
        MemoryProtection needed = access & MemoryProtection.ReadWrite;
        List<GuestCopyChunk> chunks = new(pages.Count);
        foreach (GuestPhysicalAddress page in pages)
        {
            int bytes = (int)Math.Min((ulong)length, BytesLeftInPage(page.Value));
            if (_machine.Space.Find(page) is not { } range
                || (range.Mapping.Protection & needed) != needed
                || range.BytesFrom(page) < (ulong)bytes
                || !range.Block.TryAddReference())
            {
                new GuestCopyPlan(_machine.Space, chunks, 0).Dispose();
                plan = null;
                return false;
            }

            chunks.Add(new GuestCopyChunk(page, bytes, access, range.Block, range.BlockOffset(page)));
            if ((access & MemoryProtection.Write) != 0)
            {
                _machine.Space.Written(page, bytes);
            }

            length -= bytes;
        }

        plan = new GuestCopyPlan(_machine.Space, chunks, chunks.Sum(chunk => chunk.Length));
        return true;
    }

    private PagingState CurrentPaging(IBackendVcpu backend) => new(
        backend.GetRegister(RegisterName.Cr0),
        backend.GetRegister(RegisterName.Cr3),
        backend.GetRegister(RegisterName.Cr4),
        backend.GetRegister(RegisterName.Efer),
        backend.GetRegister(RegisterName.Rflags),
        Pkru(backend),
        CpuidFeatures.PhysicalAddressBits(_cpuidAnswers));

    /// <summary>The vCPU's rules of protection with the caller's table and modes.</summary>
    private PagingState PagingOf(IBackendVcpu backend, in GuestPaging paging)
    {
        ulong cr0 = backend.GetRegister(RegisterName.Cr0) & ~Cr0Paging;
        ulong cr4 = backend.GetRegister(RegisterName.Cr4) & ~Cr4Pae;
        ulong efer = backend.GetRegister(RegisterName.Efer) & ~EferLongModeActive;
        (cr0, cr4, efer) = paging.PagingMode switch
        {
            Abstractions.Registers.PagingMode.Flat => (cr0, cr4, efer),
            Abstractions.Registers.PagingMode.Legacy32 => (cr0 | Cr0Paging, cr4, efer),
            Abstractions.Registers.PagingMode.Pae => (cr0 | Cr0Paging, cr4 | Cr4Pae, efer),
            _ => (cr0 | Cr0Paging, cr4 | Cr4Pae, efer | EferLongModeActive),
        };
        return new(
            cr0,
            paging.Cr3,
            cr4,
            efer,
            backend.GetRegister(RegisterName.Rflags),
            Pkru(backend),
            CpuidFeatures.PhysicalAddressBits(_cpuidAnswers));
    }

    /// <summary>PKRU, from where CPUID says that XSAVE puts it; 0 while protection keys are off.</summary>
    private uint Pkru(IBackendVcpu backend)
    {
        const uint ProtectionKeyComponent = 9;
        if ((backend.GetRegister(RegisterName.Cr4) & Cr4ProtectionKeys) == 0)
        {
            return 0;
        }

        byte[] image = new byte[ExtendedState.Size];
        int length = backend.GetFpu(image);
        int at = (int)CpuidFeatures.Find(_cpuidAnswers, 0xd, ProtectionKeyComponent).Ebx;
        return at > 0 && at + sizeof(uint) <= length ? BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(at)) : 0;
    }
}
