// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;

namespace Vmm.Machine.Boot;

/// <summary>A segment register as a loader wants it.</summary>
/// <param name="Selector">The visible part.</param>
/// <param name="Descriptor">The hidden part.</param>
public readonly record struct BootSegment(ushort Selector, SegmentDescriptor Descriptor)
{
    // Type 11 (code: execute, read, accessed), S, P; with L and G for long mode.
    private const uint RealModeCode = 0x009b;
    private const uint LongModeCode = 0xa09b;

    // Type 3 (data: read, write, accessed), S, P; with D/B and G for the flat segment.
    private const uint RealModeData = 0x0093;
    private const uint FlatData = 0xc093;

    // Type 11: busy TSS, the only type that a VM entry accepts for TR in long mode. Type 2: LDT, here unusable.
    private const uint BusyTss = 0x008b;
    private const uint UnusableLdt = 0x1_0082;

    /// <summary>The task register after reset.</summary>
    internal static BootSegment Task { get; } = Create(0, 0, 0xffff, BusyTss);

    /// <summary>An LDT register that holds no table.</summary>
    internal static BootSegment NoLdt { get; } = Create(0, 0, 0xffff, UnusableLdt);

    /// <summary>A real-mode code segment, its base sixteen times <paramref name="selector"/>.</summary>
    internal static BootSegment RealCode(ushort selector) => Create(selector, (ulong)selector << 4, 0xffff, RealModeCode);

    /// <summary>A real-mode data segment, its base sixteen times <paramref name="selector"/>.</summary>
    internal static BootSegment RealData(ushort selector) => Create(selector, (ulong)selector << 4, 0xffff, RealModeData);

    /// <summary>A 64-bit code segment.</summary>
    internal static BootSegment LongCode(ushort selector) => Create(selector, 0, uint.MaxValue, LongModeCode);

    /// <summary>A flat read/write data segment.</summary>
    internal static BootSegment Data(ushort selector) => Create(selector, 0, uint.MaxValue, FlatData);

    private static BootSegment Create(ushort selector, ulong segmentBase, uint limit, uint access) =>
        new(selector, new SegmentDescriptor(segmentBase, limit, new SegmentAccess(access)));
}
