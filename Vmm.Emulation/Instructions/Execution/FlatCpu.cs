// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>A CPU whose memory is one array from physical address 0 on: for tests, and the core of a software CPU.</summary>
public readonly struct FlatCpu : IEmulatedCpu, IEquatable<FlatCpu>
{
    private readonly byte[] _memory;
    private readonly FlatDevices _devices;

    /// <summary>Binds state, memory and devices. Several CPUs of one machine share memory and devices.</summary>
    /// <param name="state">The registers.</param>
    /// <param name="memory">RAM. Accesses of several CPUs to it are as atomic as the processor's.</param>
    /// <param name="devices">Everything that is not RAM.</param>
    public FlatCpu(CpuState state, byte[] memory, FlatDevices devices)
    {
        State = state;
        _memory = memory;
        _devices = devices;
    }

    /// <inheritdoc/>
    public static bool IsSupervised => false;

    /// <inheritdoc/>
    public static bool HasStableMemory => true;

    /// <inheritdoc/>
    public ref byte MemoryBase => ref MemoryMarshal.GetArrayDataReference(_memory);

    /// <inheritdoc/>
    public CpuState State { get; }

    /// <inheritdoc/>
    public bool Admits(in Instruction instruction) => true;

    /// <inheritdoc/>
    public void Committed()
    {
        // No access is ever repeated.
    }

    /// <inheritdoc/>
    public void Retired()
    {
        // Nobody asks what was executed.
    }

    /// <inheritdoc/>
    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        // SAFETY: the whole range is inside the array; a null reference otherwise.
        if (physicalAddress >= (ulong)_memory.Length || (ulong)length > (ulong)_memory.Length - physicalAddress)
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_memory), (nint)physicalAddress);
    }

    /// <inheritdoc/>
    public BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data) => _devices.ReadMemory(physicalAddress, data);

    /// <inheritdoc/>
    public BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data) => _devices.WriteMemory(physicalAddress, data);

    /// <inheritdoc/>
    public BusOutcome ReadPort(ushort port, Span<byte> data) => _devices.ReadPort(port, data);

    /// <inheritdoc/>
    public BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data) => _devices.WritePort(port, data);

    /// <inheritdoc/>
    public BusOutcome ReadMsr(uint index, out ulong value) => _devices.ReadMsr(index, out value);

    /// <inheritdoc/>
    public BusOutcome WriteMsr(uint index, ulong value) => _devices.WriteMsr(index, value);

    /// <inheritdoc/>
    public CpuidResult Cpuid(uint leaf, uint subleaf) => _devices.Cpuid(leaf, subleaf);

    /// <inheritdoc/>
    public bool TryReadTsc(out ulong value)
    {
        value = _devices.ReadTsc();
        return true;
    }

    /// <inheritdoc/>
    public bool TryReadPerformanceCounter(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryGetRandom(out ulong value) => _devices.TryGetRandom(out value);

    /// <inheritdoc/>
    public void TranslationsChanged()
    {
        // Nothing but the executor caches translations of this CPU.
    }

    /// <summary>
    /// Serialised by a lock among the CPUs of the machine. .NET has no 16-byte compare-exchange, so a plain store of another CPU
    /// between comparison and exchange is lost: a machine with several CPUs must stop the others here.
    /// </summary>
    /// <inheritdoc/>
    public bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired)
    {
        lock (_devices.ExclusiveLock)
        {
            UInt128 current = Unsafe.ReadUnaligned<UInt128>(ref at);
            if (current == expected)
            {
                Unsafe.WriteUnaligned(ref at, desired);
                return true;
            }

            expected = current;
            return false;
        }
    }

    /// <summary>Excludes other exclusive accesses only; a machine with several CPUs must stop the others here.</summary>
    public void BeginExclusive() => _devices.ExclusiveLock.Enter();

    /// <inheritdoc/>
    public void EndExclusive() => _devices.ExclusiveLock.Exit();

    /// <inheritdoc/>
    public bool Equals(FlatCpu other) => ReferenceEquals(State, other.State);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FlatCpu other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(State);

    /// <summary>Whether both are the same CPU.</summary>
    public static bool operator ==(FlatCpu left, FlatCpu right) => left.Equals(right);

    /// <summary>Whether they are different CPUs.</summary>
    public static bool operator !=(FlatCpu left, FlatCpu right) => !left.Equals(right);
}
