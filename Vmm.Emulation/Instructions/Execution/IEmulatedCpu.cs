// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Binds the executor to a CPU: a struct, so that the executor is compiled for it. All calls come from the thread that
/// executes. An access that returned <see cref="BusOutcome.Pending"/> is repeated with the same arguments when the instruction
/// is executed again; a binding that lets user space fulfil accesses remembers completed ones until the instruction
/// completes, so that each side effect happens once.
/// </summary>
public interface IEmulatedCpu : IPhysicalMemory
{
    /// <summary>
    /// Whether <see cref="Admits"/>, <see cref="Committed"/> and <see cref="Retired"/> are called. A constant of the type: the executor is compiled without
    /// the calls for a binding that does not need them.
    /// </summary>
    static abstract bool IsSupervised { get; }

    /// <summary>
    /// Whether a reference that <see cref="IPhysicalMemory.Ram"/> gave for a whole page stays right, at its distance from
    /// <see cref="MemoryBase"/>, until the binding calls <see cref="CpuState.FlushTranslations"/>. A constant of the type: for a binding
    /// where it holds, most accesses do not ask the binding at all.
    /// </summary>
    static abstract bool HasStableMemory { get; }

    /// <summary>
    /// What references to guest memory are remembered relative to: the first element of an array that the runtime may move, or a null
    /// reference where memory is not the runtime's. Used only if <see cref="HasStableMemory"/>.
    /// </summary>
    ref byte MemoryBase { get; }

    /// <summary>The registers. Always the same object.</summary>
    CpuState State { get; }

    /// <summary>
    /// Asked before an instruction executes: the binding makes the state ready that the instruction needs, or refuses it
    /// (<see cref="ExecutionStatus.Refused"/>).
    /// </summary>
    bool Admits(in Instruction instruction);

    /// <summary>Registers show that one element of a repeated instruction is done: its accesses will not be repeated.</summary>
    void Committed();

    /// <summary>Registers show that an instruction is done, or a part of a repeated one with RIP still on it.</summary>
    void Retired();

    /// <summary>Reads memory that is not RAM: 1 to 8 bytes within a page; what is wider comes in parts.</summary>
    BusOutcome ReadDevice(ulong physicalAddress, Span<byte> data);

    /// <summary>Writes memory that is not RAM: 1 to 8 bytes within a page; what is wider comes in parts.</summary>
    BusOutcome WriteDevice(ulong physicalAddress, ReadOnlySpan<byte> data);

    /// <summary>Reads 1, 2 or 4 bytes from a port.</summary>
    BusOutcome ReadPort(ushort port, Span<byte> data);

    /// <summary>Writes 1, 2 or 4 bytes to a port.</summary>
    BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data);

    /// <summary>Reads an MSR that <see cref="CpuState"/> does not hold. CPL was checked.</summary>
    BusOutcome ReadMsr(uint index, out ulong value);

    /// <summary>Writes an MSR that <see cref="CpuState"/> does not hold. CPL was checked.</summary>
    BusOutcome WriteMsr(uint index, ulong value);

    /// <summary>What CPUID returns.</summary>
    CpuidResult Cpuid(uint leaf, uint subleaf);

    /// <summary>
    /// The guest's time-stamp counter; false where the binding has to look at it between two instructions: execution ends in front of this
    /// one (<see cref="ExecutionStatus.Refused"/>).
    /// </summary>
    bool TryReadTsc(out ulong value);

    /// <summary>A performance counter for RDPMC; false for one that does not exist.</summary>
    bool TryReadPerformanceCounter(uint index, out ulong value);

    /// <summary>Random bits for RDRAND and RDSEED; false when there are none now.</summary>
    bool TryGetRandom(out ulong value);

    /// <summary>Control registers, IA32_EFER or INVLPG and its relatives changed translations: tell whoever else caches them.</summary>
    void TranslationsChanged();

    /// <summary>
    /// Compares and exchanges 16 bytes of RAM, aligned to 16, atomically against all other accesses of the guest.
    /// On a difference <paramref name="expected"/> becomes what memory holds.
    /// </summary>
    bool CompareExchange16(ref byte at, ref UInt128 expected, UInt128 desired);

    /// <summary>
    /// Begins a locked access that crosses cache lines, which hosts that detect split locks do not let a process make: no other CPU of the machine may access memory until <see cref="EndExclusive"/>. Where memory is may be different then.
    /// </summary>
    void BeginExclusive();

    /// <summary>Ends what <see cref="BeginExclusive"/> began.</summary>
    void EndExclusive();
}
