// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;

namespace Vmm.Abstractions.Vcpu;

/// <summary>An instruction that could not be emulated.</summary>
public struct InstructionEmulationExit
{
    private InstructionBytes _bytes;

    /// <summary>Creates the payload.</summary>
    /// <param name="bytes">The bytes fetched, at most 15.</param>
    /// <param name="suberror">The hypervisor's own number for the failure; 0 where it has none.</param>
    /// <param name="flags">The hypervisor's own flags.</param>
    public InstructionEmulationExit(ReadOnlySpan<byte> bytes, uint suberror, ulong flags)
    {
        bytes = bytes[..Math.Min(bytes.Length, InstructionBytes.Length)];
        bytes.CopyTo(_bytes);
        Count = (byte)bytes.Length;
        Suberror = suberror;
        Flags = flags;
    }

    /// <summary>How many bytes are valid, 0 to 15; 0 when none could be fetched.</summary>
    public byte Count { get; }

    /// <summary>The hypervisor's own number for the failure.</summary>
    public uint Suberror { get; }

    /// <summary>The hypervisor's own flags.</summary>
    public ulong Flags { get; }

    /// <summary>The bytes fetched, from the instruction's first.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes => ((ReadOnlySpan<byte>)_bytes)[..Count];
}
