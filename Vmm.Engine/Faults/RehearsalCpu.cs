// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Engine.Faults;

/// <summary>Binds the executor to a copy of a vCPU: nothing that it does reaches the guest or a device.</summary>
internal readonly struct RehearsalCpu(Rehearsal rehearsal) : IEmulatedCpu
{
    /// <inheritdoc/>
    public static bool IsSupervised => true;

    /// <inheritdoc/>
    public static bool HasStableMemory => false;

    /// <inheritdoc/>
    public ref byte MemoryBase => ref Unsafe.NullRef<byte>();

    /// <inheritdoc/>
    public CpuState State => rehearsal.State;

    /// <inheritdoc/>
    public ref byte Ram(ulong physicalAddress, int length, bool write) => ref rehearsal.Ram(physicalAddress, length, write);

    /// <inheritdoc/>
    public bool Admits(in Instruction instruction) => rehearsal.Admits(instruction);

    /// <inheritdoc/>
    public void Committed()
    {
        // No access is repeated.
    }

    /// <inheritdoc/>
    public void Retired()
    {
        // As above.
    }

    /// <inheritdoc/>
    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => Nobody(data);

    /// <inheritdoc/>
    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data) => BusOutcome.Done;

    /// <inheritdoc/>
    public BusOutcome ReadPort(ushort port, Span<byte> data) => Nobody(data);

    /// <inheritdoc/>
    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => BusOutcome.Done;

    /// <inheritdoc/>
    public BusOutcome ReadMsr(uint index, out ulong value)
    {
        value = 0;
        return BusOutcome.Refused;
    }

    /// <inheritdoc/>
    public BusOutcome WriteMsr(uint index, ulong value) => BusOutcome.Refused;

    /// <inheritdoc/>
    public CpuidResult Cpuid(uint leaf, uint subleaf) => default;

    /// <inheritdoc/>
    public bool TryReadTsc(out ulong value)
    {
        value = 0;
        return true;
    }

    /// <inheritdoc/>
    public bool TryReadPerformanceCounter(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryGetRandom(out ulong value)
    {
        value = 0;
        return true;
    }

    /// <inheritdoc/>
    public void TranslationsChanged()
    {
        // Only the copy has any.
    }

    /// <inheritdoc/>
    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        ref UInt128 target = ref Unsafe.As<byte, UInt128>(ref at);
        bool equal = target == expected;
        expected = target;
        target = equal ? desired : target;
        return equal;
    }

    /// <inheritdoc/>
    public void BeginExclusive()
    {
        // The written pages are the copy's own.
    }

    /// <inheritdoc/>
    public void EndExclusive()
    {
        // As above.
    }

    private static BusOutcome Nobody(Span<byte> data)
    {
        data.Fill(0xff);
        return BusOutcome.Done;
    }
}
