// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Emulation.Msr;

namespace Vmm.Software;

/// <content>CPUID, the FPU image, and bytes at RIP.</content>
internal sealed partial class SoftwareVcpu
{
    private const int LegacyEnd = 576;
    private const int XstateBv = 512;
    private const int XcompBv = 520;
    private const uint StateLeaf = 0xd;
    private const uint ProtectionKeyComponent = 9;

    private CpuidEntry[] _cpuid;
    private CpuidLookup _lookup;

    /// <summary>What CPUID answers: the entries, and the bits in them that follow from control registers (Intel SDM volume 2, CPUID).</summary>
    public CpuidResult Cpuid(uint leaf, uint subleaf)
    {
        const ulong OsXsave = 1 << 18;
        const ulong ProtectionKeys = 1 << 22;
        CpuidEntry entry = _lookup.Query(leaf, subleaf);
        switch (leaf)
        {
            case 1:
                uint ecx = entry.Ecx & ~(1u << 27) | ((State.Cr4 & OsXsave) != 0 ? 1u << 27 : 0);
                uint edx = (_apicBase & ApicBaseEnabled) != 0 ? entry.Edx : entry.Edx & ~(1u << 9);
                return new CpuidResult(entry.Eax, entry.Ebx, ecx, edx);
            case 7 when subleaf == 0:
                uint keys = entry.Ecx & ~(1u << 4) | ((State.Cr4 & ProtectionKeys) != 0 ? 1u << 4 : 0);
                return new CpuidResult(entry.Eax, entry.Ebx, keys, entry.Edx);
            case StateLeaf when subleaf == 0 && entry.Eax != 0:
                return new CpuidResult(entry.Eax, AreaSize(State.Xcr0, isCompacted: false), entry.Ecx, entry.Edx);
            case StateLeaf when subleaf == 1 && entry.Eax != 0:
                return new CpuidResult(entry.Eax, AreaSize(State.Xcr0 | State.Xss, isCompacted: true), entry.Ecx, entry.Edx);
            default:
                return new CpuidResult(entry.Eax, entry.Ebx, entry.Ecx, entry.Edx);
        }
    }

    /// <inheritdoc/>
    [MemberNotNull(nameof(_cpuid), nameof(_lookup))]
    public void SetCpuid(ReadOnlySpan<CpuidEntry> entries)
    {
        if (entries.Length > CpuidConfiguration.MaxEntries)
        {
            throw new VmmException(
                "SetCpuid", VmmError.E2BIG, $"a vCPU has at most {CpuidConfiguration.MaxEntries} entries, not {entries.Length}");
        }

        CpuDefinition definition = new(entries);
        _cpuid = [.. definition.Entries];
        CpuidFlags flags = definition.Vendor == CpuVendor.Intel ? CpuidFlags.IntelFallback : CpuidFlags.None;
        _lookup = new CpuidLookup(CpuidConfiguration.Create(flags, _cpuid));
        State.Features = CpuidFeatures.Read(_cpuid);
        State.Vendor = definition.Vendor;
        State.PhysicalAddressBits = CpuidFeatures.PhysicalAddressBits(_cpuid);
        State.FlushTranslations();
        if (_msrs is { } before)
        {
            MsrFile after = MakeMsrs();
            Carry(before, after);
            _msrs = after;
        }
    }

    /// <inheritdoc/>
    public int GetFpu(Span<byte> destination)
    {
        int length = FpuLength;
        if (destination.Length < length)
        {
            throw new VmmException("vm_get_fpu", VmmError.ENOSPC, $"the image has {length} bytes");
        }

        // In the executor's image every component is current, whatever its header says.
        State.Extended.Image[..length].CopyTo(destination);
        destination[XstateBv..LegacyEnd].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(destination[XstateBv..], Components);
        if (PkruOffset is { } offset)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(destination[offset..], State.Pkru);
        }

        return length;
    }

    /// <inheritdoc/>
    public void SetFpu(ReadOnlySpan<byte> source)
    {
        const string Operation = "vm_set_fpu";
        const int Mxcsr = 24;
        const uint MxcsrBits = 0xffff;
        if (source.Length < LegacyEnd)
        {
            throw new VmmException(Operation, VmmError.ENOSPC, $"an image has at least {LegacyEnd} bytes");
        }

        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(source[XstateBv..]);
        uint mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(source[Mxcsr..]);
        if (BinaryPrimitives.ReadUInt64LittleEndian(source[XcompBv..]) != 0)
        {
            throw new VmmException(Operation, VmmError.EINVAL, "the image is compacted");
        }

        if ((present & ~Components) != 0 || (mxcsr & ~MxcsrBits) != 0)
        {
            throw new VmmException(Operation, VmmError.EINVAL, "the image has components or bits of MXCSR that the processor does not have");
        }

        Span<byte> image = State.Extended.Image;
        image.Clear();
        SetLegacy(source, image, present);
        for (uint component = 2; component < 63; component++)
        {
            CpuidEntry place = _lookup.Query(StateLeaf, component);
            bool isGiven = (present >> (int)component & 1) != 0 && place.Ebx + place.Eax <= (uint)Math.Min(source.Length, image.Length);
            if (isGiven)
            {
                source.Slice((int)place.Ebx, (int)place.Eax).CopyTo(image[(int)place.Ebx..]);
            }
        }

        State.Pkru = PkruOffset is { } offset ? BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]) : 0;
    }

    /// <summary>The components that XCR0 may enable.</summary>
    private ulong Components
    {
        get
        {
            CpuidEntry leaf = _lookup.Query(StateLeaf, 0);
            return leaf.Eax == 0 ? 3 : leaf.Eax | ((ulong)leaf.Edx << 32);
        }
    }

    private int FpuLength => (int)Math.Clamp(_lookup.Query(StateLeaf, 0).Ecx, LegacyEnd, ExtendedState.Size);

    private int? PkruOffset =>
        (Components >> (int)ProtectionKeyComponent & 1) != 0 ? (int)_lookup.Query(StateLeaf, ProtectionKeyComponent).Ebx : null;

    /// <summary>x87 and SSE, or their initial state (Intel SDM volume 1, section 13.6).</summary>
    private static void SetLegacy(ReadOnlySpan<byte> source, Span<byte> image, ulong present)
    {
        const int Mxcsr = 24;
        const int St0 = 32;
        const int Xmm0 = 160;
        const int XmmEnd = 416;
        BinaryPrimitives.WriteUInt16LittleEndian(image, 0x37f);
        BinaryPrimitives.WriteUInt32LittleEndian(image[Mxcsr..], 0x1f80);
        if ((present & 1) != 0)
        {
            source[..Mxcsr].CopyTo(image);
            source[St0..Xmm0].CopyTo(image[St0..]);
        }

        if ((present & 6) != 0)
        {
            source.Slice(Mxcsr, sizeof(uint)).CopyTo(image[Mxcsr..]);
        }

        if ((present & 2) != 0)
        {
            source[Xmm0..XmmEnd].CopyTo(image[Xmm0..]);
        }
    }

    private static void Carry(MsrFile from, MsrFile to)
    {
        foreach (MsrDescription description in MsrRegistry.All)
        {
            if (description.Rule != MsrRule.Tsc && from.TrySave(description.Index, 0, out ulong value))
            {
                to.TryRestore(description.Index, value, 0);
            }
        }

        to.TscOffset = from.TscOffset;
    }

    private uint AreaSize(ulong enabled, bool isCompacted)
    {
        uint end = LegacyEnd;
        for (uint component = 2; component < 63; component++)
        {
            if ((enabled >> (int)component & 1) == 0)
            {
                continue;
            }

            CpuidEntry place = _lookup.Query(StateLeaf, component);
            bool isAligned = (place.Ecx & 2) != 0;
            end = isCompacted ? (isAligned ? end + 63 & ~63u : end) + place.Eax : Math.Max(end, place.Ebx + place.Eax);
        }

        return end;
    }

    /// <summary>The bytes at RIP, as far as they can be fetched without an effect on the guest.</summary>
    private int FetchBytes(Span<byte> buffer)
    {
        const ulong PageSize = 0x1000;
        SoftwareCpu<Unwatched> cpu = new(this, State);
        ulong linear = LinearRip;
        PageAccess access = PageAccess.Execute | (State.Cpl == 3 ? PageAccess.User : PageAccess.Read);
        int count = 0;
        while (count < buffer.Length)
        {
            Translation translation = PageWalker.Probe(ref cpu, State.Paging, linear + (uint)count, access);
            int some = (int)Math.Min((ulong)(buffer.Length - count), PageSize - ((linear + (uint)count) & (PageSize - 1)));
            ref byte ram = ref System.Runtime.CompilerServices.Unsafe.NullRef<byte>();
            if (translation.Status == TranslationStatus.Mapped)
            {
                ram = ref FindRam(translation.PhysicalAddress, some, write: false);
            }

            if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref ram))
            {
                break;
            }

            System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpan(ref ram, some).CopyTo(buffer[count..]);
            count += some;
        }

        return count;
    }
}
