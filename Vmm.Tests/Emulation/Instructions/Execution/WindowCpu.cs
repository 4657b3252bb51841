// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>A CPU whose only memory is a window at any address; everything outside is refused. The code is elsewhere.</summary>
internal readonly struct WindowCpu(CpuState state, byte[] window, ulong address) : IEmulatedCpu
{
    public static bool IsSupervised => false;

    public static bool HasStableMemory => false;

    public ref byte MemoryBase => ref Unsafe.NullRef<byte>();

    public CpuState State => state;

    public bool Admits(in Instruction instruction) => true;

    public void Committed()
    {
        // No access is ever repeated.
    }

    public void Retired()
    {
        // Nobody asks what was executed.
    }

    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        ulong offset = physicalAddress - address;
        if (offset >= (ulong)window.Length || (ulong)length > (ulong)window.Length - offset)
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref window[offset];
    }

    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => BusOutcome.Refused;

    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data) => BusOutcome.Refused;

    public BusOutcome ReadPort(ushort port, Span<byte> data) => BusOutcome.Refused;

    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => BusOutcome.Refused;

    public BusOutcome ReadMsr(uint index, out ulong value)
    {
        value = 0;
        return BusOutcome.Refused;
    }

    public BusOutcome WriteMsr(uint index, ulong value) => BusOutcome.Refused;

    public CpuidResult Cpuid(uint leaf, uint subleaf) => default;

    public bool TryReadTsc(out ulong value)
    {
        value = 0;
        return true;
    }

    public bool TryReadPerformanceCounter(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryGetRandom(out ulong value)
    {
        value = 0;
        return false;
    }

    public void TranslationsChanged()
    {
        // There is no other cache.
    }

    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        UInt128 current = Unsafe.ReadUnaligned<UInt128>(ref at);
        if (current != expected)
        {
            expected = current;
            return false;
        }

        Unsafe.WriteUnaligned(ref at, desired);
        return true;
    }

    public void BeginExclusive()
    {
        // There is no other CPU.
    }

    public void EndExclusive()
    {
        // There is no other CPU.
    }
}
