// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Tests.Machine.Boot;

/// <summary>Guest memory over an array that starts at zero; what lies beyond is not there.</summary>
internal sealed class ArrayMemory(int size) : IGuestMemory
{
    internal byte[] Bytes { get; } = new byte[size];

    internal int Writes { get; private set; }

    internal List<GuestPhysicalAddress> Refused { get; } = [];

    public bool TryRead(GuestPhysicalAddress address, Span<byte> destination)
    {
        if (!Contains(address, destination.Length))
        {
            return false;
        }

        Bytes.AsSpan((int)address.Value, destination.Length).CopyTo(destination);
        return true;
    }

    public bool TryWrite(GuestPhysicalAddress address, ReadOnlySpan<byte> source)
    {
        if (!Contains(address, source.Length))
        {
            Refused.Add(address);
            return false;
        }

        Writes++;
        source.CopyTo(Bytes.AsSpan((int)address.Value));
        return true;
    }

    public bool TryCompareExchange(GuestPhysicalAddress address, uint expected, uint replacement, out bool exchanged) =>
        throw new NotSupportedException("a boot loader only copies");

    public bool TryCompareExchange(GuestPhysicalAddress address, ulong expected, ulong replacement, out bool exchanged) =>
        throw new NotSupportedException("a boot loader only copies");

    public bool TryHold(GuestPhysicalAddress address, int length, MemoryProtection access, out GuestMemoryHold hold) =>
        throw new NotSupportedException("a boot loader only copies");

    internal ReadOnlySpan<byte> At(ulong address, int length) => Bytes.AsSpan((int)address, length);

    private bool Contains(GuestPhysicalAddress address, int length) =>
        address.Value <= (ulong)Bytes.Length && (ulong)length <= (ulong)Bytes.Length - address.Value;
}
