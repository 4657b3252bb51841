// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Software.Interop;

namespace Vmm.Software;

/// <summary>Binds the executor to a vCPU.</summary>
/// <typeparam name="TWatch">Whether each instruction is watched; the executor is compiled for both.</typeparam>
internal readonly struct SoftwareCpu<TWatch>(SoftwareVcpu vcpu, CpuState state) : IEmulatedCpu
    where TWatch : struct, IWatch
{
    /// <inheritdoc/>
    public static bool IsSupervised => TWatch.IsWatched;

    /// <inheritdoc/>
    public static bool HasStableMemory => !TWatch.IsWatched;

    /// <inheritdoc/>
    public ref byte MemoryBase => ref Unsafe.NullRef<byte>();

    /// <inheritdoc/>
    public CpuState State => state;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        MemoryRegion region = vcpu.Region;
        ulong offset = physicalAddress - region.First;
        if (offset < region.Length && (uint)length <= region.Length - offset && (!write || region.IsPlain))
        {
            return ref HostMemory.At(region.Host + (nint)offset);
        }

        return ref vcpu.FindRam(physicalAddress, length, write);
    }

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
    public CpuidResult Cpuid(uint leaf, uint subleaf) => vcpu.Cpuid(leaf, subleaf);

    /// <inheritdoc/>
    public bool TryReadTsc(out ulong value) => vcpu.TryReadTsc(out value);

    /// <inheritdoc/>
    public bool TryReadPerformanceCounter(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryGetRandom(out ulong value) => vcpu.TryGetRandom(out value);

    /// <inheritdoc/>
    public void TranslationsChanged()
    {
        // Nothing but the executor caches translations.
    }

    /// <inheritdoc/>
    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired) =>
        vcpu.CompareExchange16(ref at, ref expected, desired);

    /// <inheritdoc/>
    public void BeginExclusive() => vcpu.BeginExclusive();

    /// <inheritdoc/>
    public void EndExclusive() => vcpu.EndExclusive();
}
