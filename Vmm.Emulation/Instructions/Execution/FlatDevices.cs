// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// What a <see cref="FlatCpu"/> has besides RAM. As it is: nothing answers (reads give all ones), no further MSRs, no random bits,
/// and a counter that moves by one per reading. Derive to add devices.
/// </summary>
public class FlatDevices
{
    private ulong _tsc;

    internal Lock ExclusiveLock { get; } = new();

    /// <summary>Reads outside RAM.</summary>
    public virtual BusOutcome ReadMemory(ulong physicalAddress, Span<byte> data)
    {
        data.Fill(0xFF);
        return BusOutcome.Done;
    }

    /// <summary>Writes outside RAM.</summary>
    public virtual BusOutcome WriteMemory(ulong physicalAddress, ReadOnlySpan<byte> data) => BusOutcome.Done;

    /// <summary>Reads a port.</summary>
    public virtual BusOutcome ReadPort(ushort port, Span<byte> data)
    {
        data.Fill(0xFF);
        return BusOutcome.Done;
    }

    /// <summary>Writes a port.</summary>
    public virtual BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => BusOutcome.Done;

    /// <summary>Reads an MSR that the CPU state does not hold.</summary>
    public virtual BusOutcome ReadMsr(uint index, out ulong value)
    {
        value = 0;
        return BusOutcome.GeneralProtection;
    }

    /// <summary>Writes an MSR that the CPU state does not hold.</summary>
    public virtual BusOutcome WriteMsr(uint index, ulong value) => BusOutcome.GeneralProtection;

    /// <summary>CPUID: as it is, only leaf 0DH, which the XSAVE family needs: x87, SSE, AVX, AVX-512 and PKRU.</summary>
    public virtual CpuidResult Cpuid(uint leaf, uint subleaf) => (leaf, subleaf) switch
    {
        (0, _) => new(0xD, 0, 0, 0),
        (0xD, 0) => new(0x2E7, 2696, 2696, 0),
        (0xD, 1) => new(0xF, 0, 0, 0),
        (0xD, 2) => new(256, 576, 0, 0),
        (0xD, 5) => new(64, 1088, 0, 0),
        (0xD, 6) => new(512, 1152, 0, 0),
        (0xD, 7) => new(1024, 1664, 0, 0),
        (0xD, 9) => new(8, 2688, 0, 0),
        _ => default,
    };

    /// <summary>The time-stamp counter.</summary>
    public virtual ulong ReadTsc() => _tsc++;

    /// <summary>Random bits.</summary>
    public virtual bool TryGetRandom(out ulong value)
    {
        value = 0;
        return false;
    }
}
