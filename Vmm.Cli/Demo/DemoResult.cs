// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Text;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Cli.Demo;

/// <summary>What the demo's guest has stored in its memory.</summary>
/// <param name="Ticks">Timer interrupts taken.</param>
/// <param name="MaxLeaf">The greatest leaf of CPUID.</param>
/// <param name="Vendor">CPUID's vendor.</param>
/// <param name="Msr">What the emulated MSR read.</param>
/// <param name="Sum">The sum of the bytes of the string input.</param>
/// <param name="Mmio">The last value read from the device's memory.</param>
internal readonly record struct DemoResult(uint Ticks, uint MaxLeaf, string Vendor, ulong Msr, uint Sum, uint Mmio)
{
    public const int TicksOffset = 0;
    public const int MaxLeafOffset = 4;
    public const int VendorOffset = 8;
    public const int VendorLength = 12;
    public const int MsrOffset = 24;
    public const int SumOffset = 32;
    public const int MmioOffset = 36;
    private const int Length = 40;

    /// <summary>Reads it.</summary>
    public static DemoResult Read(IGuestMemory memory)
    {
        byte[] bytes = new byte[Length];
        if (!memory.TryRead(new GuestPhysicalAddress(DemoGuest.ResultAddress), bytes))
        {
            return default;
        }

        return new DemoResult(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(TicksOffset)),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(MaxLeafOffset)),
            Encoding.ASCII.GetString(bytes, VendorOffset, VendorLength),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(MsrOffset)),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(SumOffset)),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(MmioOffset)));
    }
}
