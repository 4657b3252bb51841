// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Engine.SecondChance;

/// <summary>Binds the executor to a vCPU of the hypervisor.</summary>
internal readonly struct EmulatedCpu(EmulatedVcpu vcpu) : IEmulatedCpu
{
    /// <inheritdoc/>
    public static bool IsSupervised => true;

    /// <inheritdoc/>
    public static bool HasStableMemory => false;

    /// <inheritdoc/>
    public ref byte MemoryBase => ref Unsafe.NullRef<byte>();

    /// <inheritdoc/>
    public CpuState State => vcpu.State;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref byte Ram(ulong physicalAddress, int length, bool write) =>
        ref MemoryMarshal.GetReference(vcpu.Ram(physicalAddress, length, write));

    /// <inheritdoc/>
    public bool Admits(in Instruction instruction) => vcpu.Admits(instruction);

    /// <inheritdoc/>
    public void Committed() => vcpu.Accesses.Commit();

    /// <inheritdoc/>
    public void Retired() => vcpu.Retired();

    /// <inheritdoc/>
    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => vcpu.ReadDevice(physicalAddress, data);

    /// <inheritdoc/>
    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data) => vcpu.WriteDevice(physicalAddress, data);

    /// <inheritdoc/>
    public BusOutcome ReadPort(ushort port, Span<byte> data) => vcpu.ReadPort(port, data);

    /// <inheritdoc/>
    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => vcpu.WritePort(port, data);

    /// <inheritdoc/>
    public BusOutcome ReadMsr(uint index, out ulong value) => vcpu.ReadMsr(index, out value);

    /// <inheritdoc/>
    public BusOutcome WriteMsr(uint index, ulong value) => vcpu.WriteMsr(index, value);

    /// <inheritdoc/>
    public CpuidResult Cpuid(uint leaf, uint subleaf) => CpuidFeatures.Find(vcpu.CpuidEntries, leaf, subleaf);

    /// <inheritdoc/>
    public bool TryReadTsc(out ulong value)
    {
        value = vcpu.ReadTsc();
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
        System.Security.Cryptography.RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return true;
    }

    /// <inheritdoc/>
    public void TranslationsChanged() => vcpu.TranslationsChanged();

    /// <inheritdoc/>
    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired) =>
        vcpu.CompareExchange16(ref at, ref expected, desired);

    /// <inheritdoc/>
    public void BeginExclusive() => vcpu.BeginExclusive();

    /// <inheritdoc/>
    public void EndExclusive() => vcpu.EndExclusive();
}
