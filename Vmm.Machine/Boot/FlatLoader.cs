// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Machine.Boot;

/// <summary>Loads a flat binary and says with which registers it starts at its first byte.</summary>
public static class FlatLoader
{
    private const ulong Cr0Reset = 0x10;
    private const ulong RealModeReach = 0x10_0000;
    private const ulong RealModeStack = 0x7000;
    private const ulong RealModeSegment = 0x1_0000;
    private const ushort RealModeIdtLimit = 0x3ff;

    /// <summary>
    /// Loads for real mode. Below 64 KiB the code segment is zero and IP the address; above, the code segment is the
    /// address divided by 16. The data and stack segments are zero and SP is 0x7000.
    /// </summary>
    /// <param name="memory">The machine's memory; nothing in it may run yet.</param>
    /// <param name="layout">Where the machine has RAM.</param>
    /// <param name="image">The binary, entered at its first byte.</param>
    /// <param name="address">Where it goes: in base memory.</param>
    /// <exception cref="BootImageException">It is empty, or does not fit there; guest memory is as it was.</exception>
    /// <exception cref="InvalidOperationException">Guest memory refuses what the layout calls RAM.</exception>
    public static BootState LoadRealMode(
        IGuestMemory memory, PcMemoryLayout layout, ReadOnlyMemory<byte> image, GuestPhysicalAddress address)
    {
        BootOrigin origin = Check(memory, layout, image);
        if (address.Value >= RealModeReach)
        {
            throw origin.Refuse($"real mode does not reach {address}", "Load it below 640 KiB, or enter it in 64-bit mode");
        }

        BootPlan plan = new(layout);
        plan.Add(new("flat binary", address, (ulong)image.Length), image, origin);
        plan.Commit(memory);
        ushort selector = address.Value < RealModeSegment ? (ushort)0 : (ushort)(address.Value >> 4);
        return new BootState
        {
            Rip = address.Value - ((ulong)selector << 4),
            Rsp = RealModeStack,
            Cr0 = Cr0Reset,
            Cs = BootSegment.RealCode(selector),
            Ds = BootSegment.RealData(0),
            Es = BootSegment.RealData(0),
            Fs = BootSegment.RealData(0),
            Gs = BootSegment.RealData(0),
            Ss = BootSegment.RealData(0),
            Gdtr = new(new(0), ushort.MaxValue),
            Idtr = new(new(0), RealModeIdtLimit),
        };
    }

    /// <summary>
    /// Loads for 64-bit mode, entered as the Linux boot protocol enters a kernel: identity-mapped, flat segments, a stack
    /// of one page, interrupts off.
    /// </summary>
    /// <param name="memory">The machine's memory; nothing in it may run yet.</param>
    /// <param name="layout">Where the machine has RAM.</param>
    /// <param name="image">The binary, entered at its first byte.</param>
    /// <param name="address">Where it goes: clear of the ranges of <see cref="BootAddresses"/>.</param>
    /// <exception cref="BootImageException">It is empty, or does not fit there; guest memory is as it was.</exception>
    /// <exception cref="InvalidOperationException">Guest memory refuses what the layout calls RAM.</exception>
    public static BootState LoadLongMode(
        IGuestMemory memory, PcMemoryLayout layout, ReadOnlyMemory<byte> image, GuestPhysicalAddress address)
    {
        BootOrigin origin = Check(memory, layout, image);
        if (address.Value > BootCpu.MappedSize(layout) - (ulong)image.Length)
        {
            throw origin.Refuse(
                $"{address} is not covered by the initial page tables, which end at 0x{BootCpu.MappedSize(layout):x}", "Load it lower");
        }

        BootPlan plan = new(layout);
        BootCpu.Plan(plan, layout, origin);
        plan.Add(new("flat binary", address, (ulong)image.Length), image, origin);
        plan.Commit(memory);
        return BootCpu.LongMode(address.Value, rsi: 0);
    }

    private static BootOrigin Check(IGuestMemory memory, PcMemoryLayout layout, ReadOnlyMemory<byte> image)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(layout);
        BootOrigin origin = new(BootImageKind.Flat, 0, "image");
        return image.IsEmpty ? throw origin.Refuse("the file is empty", "Give the binary to run") : origin;
    }
}
