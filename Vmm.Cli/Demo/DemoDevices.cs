// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Cli.Demo;

/// <summary>The devices that C# plays for the demo's guest: a mark, a source of bytes, a register in memory, an MSR.</summary>
internal sealed class DemoDevices : IPortHandler, IMmioHandler, IMsrHandler
{
    /// <summary>Written by the guest's first instructions.</summary>
    public const ushort MarkPort = 0x510;

    /// <summary>Each read gives the next byte of a pattern.</summary>
    public const ushort PatternPort = 0x511;

    /// <summary>Two 32-bit registers, in the hole below 4 GiB: written at 0; read at 4.</summary>
    public const ulong MmioAddress = 0xd000_0000;

    /// <summary>An index that no processor has.</summary>
    public const uint MsrIndex = 0x564d_4d00;

    private const ulong MmioLength = 0x1000;
    private const byte PatternStep = 7;
    private readonly Lock _lock = new();
    private byte _pattern;
    private uint _register;
    private ulong _msr;

    /// <summary>When the mark was written, by the host's monotonic clock; 0 before that.</summary>
    public long MarkTimestamp { get; private set; }

    /// <summary>Bytes of the pattern that were read.</summary>
    public int PatternReads { get; private set; }

    /// <summary>Memory-mapped accesses answered.</summary>
    public int MmioAccesses { get; private set; }

    /// <summary>MSR accesses answered.</summary>
    public int MsrAccesses { get; private set; }

    /// <summary>The register's answer to a value written: what the guest must find after so many rounds from 1.</summary>
    public static uint Expected(int rounds)
    {
        uint value = 1;
        for (int i = 0; i < rounds; i++)
        {
            value = Answer(value);
        }

        return value;
    }

    /// <summary>The sum of the first bytes of the pattern.</summary>
    public static uint ExpectedSum(int length)
    {
        uint sum = 0;
        for (int i = 1; i <= length; i++)
        {
            sum += (byte)(i * PatternStep);
        }

        return sum;
    }

    /// <summary>What the emulated MSR reads after a value was written.</summary>
    public static ulong ExpectedMsr(ulong written) => ~written;

    /// <summary>Puts the devices into a VM.</summary>
    public void Attach(IVirtualMachine machine)
    {
        machine.Ports.Attach(MarkPort, this);
        machine.Ports.Attach(PatternPort, this);
        machine.Mmio.Attach(GuestPhysicalRange.Create(new GuestPhysicalAddress(MmioAddress), MmioLength), this);
        machine.Msrs.Attach(new MsrIndex(MsrIndex), new MsrIndex(MsrIndex), this);
    }

    /// <inheritdoc/>
    PortOutcome IPortHandler.Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        value = 0;
        if (port != PatternPort)
        {
            return PortOutcome.Unclaimed;
        }

        lock (_lock)
        {
            PatternReads++;
            _pattern = unchecked((byte)(_pattern + PatternStep));
            value = _pattern;
        }

        return PortOutcome.Handled;
    }

    /// <inheritdoc/>
    PortOutcome IPortHandler.Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        if (port != MarkPort)
        {
            return PortOutcome.Unclaimed;
        }

        MarkTimestamp = Stopwatch.GetTimestamp();
        return PortOutcome.Handled;
    }

    /// <inheritdoc/>
    ulong IMmioHandler.Read(IVirtualCpu vcpu, ulong offset, int bytes)
    {
        lock (_lock)
        {
            MmioAccesses++;
            return offset == sizeof(uint) ? Answer(_register) : 0;
        }
    }

    /// <inheritdoc/>
    void IMmioHandler.Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
    {
        lock (_lock)
        {
            MmioAccesses++;
            _register = (uint)value;
        }
    }

    /// <inheritdoc/>
    MsrOutcome IMsrHandler.Read(IVirtualCpu vcpu, MsrIndex index, out ulong value)
    {
        lock (_lock)
        {
            MsrAccesses++;
            value = ExpectedMsr(_msr);
        }

        return MsrOutcome.Handled;
    }

    /// <inheritdoc/>
    MsrOutcome IMsrHandler.Write(IVirtualCpu vcpu, MsrIndex index, ulong value)
    {
        lock (_lock)
        {
            MsrAccesses++;
            _msr = value;
        }

        return MsrOutcome.Handled;
    }

    private static uint Answer(uint value) => unchecked((value * 3) + 1);
}
