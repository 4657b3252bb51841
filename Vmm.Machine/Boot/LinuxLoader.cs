// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Machine.Boot;

/// <summary>
/// Loads a Linux kernel, its initial RAM disk and its command line, and says with which registers the 64-bit boot protocol
/// enters it (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
/// </summary>
/// <remarks>
/// A kernel that the host has unpacked is entered at the physical address it is linked at. The relocation table that the
/// build appends behind the ELF of a CONFIG_RELOCATABLE kernel serves the in-guest unpacker only, when that moves the
/// kernel to another virtual address; at the linked address nothing needs to be relocated.
/// </remarks>
public static class LinuxLoader
{
    private const byte UnassignedLoader = 0xff;

    // boot.rst, "64-bit Boot Protocol": the entry is at this offset of the protected-mode part.
    private const ulong UnpackerEntry = 0x200;

    private const string MoreMemory = "Give the machine more memory";

    /// <summary>Checks everything, then writes everything.</summary>
    /// <param name="memory">The machine's memory; nothing in it may run yet.</param>
    /// <param name="layout">Where the machine has RAM.</param>
    /// <param name="options">Kernel, initial RAM disk, command line.</param>
    /// <exception cref="BootImageException">An image is refused; guest memory is as it was.</exception>
    /// <exception cref="InvalidOperationException">Guest memory refuses what the layout calls RAM.</exception>
    public static LinuxBootResult Load(IGuestMemory memory, PcMemoryLayout layout, LinuxBootOptions options)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(options);
        E820Map map = options.MemoryMap ?? layout.CreateE820();
        BootPlan plan = new(layout, map);
        Kernel kernel = Prepare(plan, layout, options);
        BootParameters parameters = CreateParameters(kernel, options, map);
        BootOrigin origin = new(kernel.Kind, 0, "kernel");
        BootCpu.Plan(plan, layout, origin);
        PlaceCommandLine(plan, parameters, options.CommandLine, kernel.Header);
        GuestPhysicalAddress? initrd = PlaceInitrd(plan, parameters, options.Initrd, kernel, layout, map);
        plan.Add(new("boot_params", new(BootAddresses.BootParameters), BootParameters.Size), parameters.Bytes, origin);
        plan.Commit(memory);
        return new LinuxBootResult
        {
            State = BootCpu.LongMode(kernel.EntryAddress, BootAddresses.BootParameters),
            Entry = kernel.Entry,
            Format = kernel.Format,
            KernelVersion = kernel.Header?.KernelVersion ?? string.Empty,
            Remark = kernel.Remark,
            Initrd = initrd,
            Placements = plan.Placements,
        };
    }

    private static Kernel Prepare(BootPlan plan, PcMemoryLayout layout, LinuxBootOptions options)
    {
        if (ElfImage.IsElf(options.Kernel.Span))
        {
            return PrepareElf(plan, options.Kernel, new Kernel(BootImageKind.Elf, KernelEntry.Elf, "Entered at the ELF entry."));
        }

        if (!SetupHeader.IsBzImage(options.Kernel.Span))
        {
            throw new BootImageException(
                BootImageKind.Unknown, 0, "magic",
                $"the file of {options.Kernel.Length} bytes is neither an ELF file nor a bzImage",
                "Give a Linux bzImage or an ELF64 vmlinux, or load it as a flat binary");
        }

        SetupHeader header = SetupHeader.Parse(options.Kernel);
        PayloadFormat format = KernelPayload.Detect(header.Payload.Span);
        bool unpackHere = options.Unpacking == KernelUnpacking.Host
            || (options.Unpacking == KernelUnpacking.Automatic && format != PayloadFormat.Unknown);
        if (unpackHere)
        {
            ReadOnlyMemory<byte> elf = KernelPayload.Decompress(header.Payload, header.PayloadFileOffset, (long)layout.LowRamEnd);
            return PrepareElf(plan, elf, new Kernel(BootImageKind.Elf, KernelEntry.UnpackedByHost, $"Unpacked by the host ({format}) and entered at the ELF entry.")
            {
                Header = header,
                Format = format,
            });
        }

        string reason = options.Unpacking == KernelUnpacking.Guest ? "as asked" : "because the host does not know the payload's format";
        return PrepareUnpacker(plan, header, new Kernel(BootImageKind.BzImage, KernelEntry.GuestUnpacker, $"Entered at the image's own unpacker, {reason}.")
        {
            Header = header,
            Format = format,
        });
    }

    private static Kernel PrepareElf(BootPlan plan, ReadOnlyMemory<byte> image, Kernel kernel)
    {
        ElfImage elf = ElfImage.Parse(image);
        foreach (ElfSegment segment in elf.Segments)
        {
            BootOrigin origin = new(BootImageKind.Elf, segment.HeaderOffset, "PT_LOAD");
            if (segment.Address.Value < BootAddresses.HighMemory)
            {
                throw origin.Refuse(
                    Invariant($"the segment is linked at {segment.Address}, below 1 MiB, where boot data and the BIOS area are"),
                    "Use a kernel that is linked at 1 MiB or above");
            }

            plan.Add(new("kernel segment", segment.Address, segment.MemorySize), segment.Content, origin);
        }

        return kernel with { EntryAddress = elf.Entry.Value, End = elf.End.Value };
    }

    private static Kernel PrepareUnpacker(BootPlan plan, SetupHeader header, Kernel kernel)
    {
        const long xloadflags = 0x236;
        const long prefAddress = 0x258;
        if (!header.Has64BitEntry)
        {
            throw new BootImageException(
                BootImageKind.BzImage, xloadflags, "xloadflags", "XLF_KERNEL_64 is clear: the unpacker has no 64-bit entry",
                "Use a 64-bit kernel");
        }

        ulong length = Math.Max(header.InitSize, (ulong)header.ProtectedMode.Length);
        ulong address = header.PreferredAddress;
        bool fits = address >= BootAddresses.HighMemory && plan.IsUsable(new(address), length);
        if (!fits && header.IsRelocatable && header.KernelAlignment is > 0 and <= 1u << 30)
        {
            ulong alignment = header.KernelAlignment;
            address = (BootAddresses.HighMemory + alignment - 1) / alignment * alignment;
        }

        plan.Reserve(
            new("kernel unpacker", new(address), length), header.ProtectedMode, new(BootImageKind.BzImage, prefAddress, "pref_address"));
        return kernel with { EntryAddress = address + UnpackerEntry, End = address + length };
    }

    private static BootParameters CreateParameters(Kernel kernel, LinuxBootOptions options, E820Map map)
    {
        BootParameters parameters = new();
        if (kernel.Header is { } header)
        {
            parameters.SetHeader(header);
        }
        else
        {
            parameters.SetSyntheticHeader();
        }

        parameters.TypeOfLoader = UnassignedLoader;
        parameters.AcpiRsdp = options.AcpiRsdp;
        parameters.SetMemoryMap(map);
        return parameters;
    }

    private static void PlaceCommandLine(BootPlan plan, BootParameters parameters, string text, SetupHeader? header)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + '\0');
        int zero = Array.IndexOf(bytes, (byte)0);
        BootOrigin origin = new(BootImageKind.CommandLine, zero, "command line");
        if (zero != bytes.Length - 1)
        {
            throw origin.Refuse("a zero byte would end it early", "Remove the zero byte");
        }

        ulong limit = Math.Min(header?.CommandLineSize ?? BootParameters.DefaultCommandLineSize, BootAddresses.CommandLineSize - 1);
        if ((ulong)zero > limit)
        {
            throw (origin with { Offset = (long)limit }).Refuse(
                Invariant($"{zero} bytes are more than the {limit} this kernel takes (cmdline_size)"), "Shorten it");
        }

        plan.Add(new("command line", new(BootAddresses.CommandLine), (ulong)bytes.Length), bytes, origin);
        parameters.SetCommandLine(new(BootAddresses.CommandLine));
    }

    private static GuestPhysicalAddress? PlaceInitrd(
        BootPlan plan, BootParameters parameters, ReadOnlyMemory<byte> initrd, Kernel kernel, PcMemoryLayout layout, E820Map map)
    {
        if (initrd.IsEmpty)
        {
            return null;
        }

        uint highest = kernel.Header?.InitrdAddressMaximum ?? BootParameters.DefaultInitrdAddressMaximum;
        ulong limit = Math.Min(layout.LowRamEnd, highest + 1ul);
        ulong floor = Math.Max(kernel.End, BootAddresses.HighMemory);
        GuestPhysicalAddress? address = FindTop(map, (ulong)initrd.Length, floor, limit);
        BootOrigin origin = new(BootImageKind.Initrd, initrd.Length, "initrd size");
        if (address is not { } found)
        {
            throw origin.Refuse(
                Invariant($"{initrd.Length} bytes do not fit between the kernel's end at 0x{floor:x} and 0x{limit:x}"), MoreMemory);
        }

        plan.Add(new("initrd", found, (ulong)initrd.Length), initrd, origin);
        parameters.SetRamdisk(found, (ulong)initrd.Length);
        return found;
    }

    // The highest page-aligned place in RAM that ends at or below the limit.
    private static GuestPhysicalAddress? FindTop(E820Map map, ulong size, ulong floor, ulong limit)
    {
        for (int index = map.Entries.Count - 1; index >= 0; index--)
        {
            E820Entry entry = map.Entries[index];
            ulong start = Math.Max(entry.Base.Value, floor);
            ulong end = Math.Min(entry.Last.Value, limit - 1) + 1;
            if (entry.Type != E820Type.Ram || entry.Base.Value >= limit || end < start || end - start < size)
            {
                continue;
            }

            GuestPhysicalAddress address = new GuestPhysicalAddress(end - size).PageBase;
            if (address.Value >= start)
            {
                return address;
            }
        }

        return null;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Kernel(BootImageKind Kind, KernelEntry Entry, string Remark)
    {
        public SetupHeader? Header { get; init; }

        public PayloadFormat Format { get; init; }

        public ulong EntryAddress { get; init; }

        public ulong End { get; init; }
    }
}
