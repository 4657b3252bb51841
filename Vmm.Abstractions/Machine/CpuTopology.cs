// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>How the vCPUs of a VM are arranged. It shapes CPUID only and creates no vCPU.</summary>
/// <param name="Sockets">Processor packages.</param>
/// <param name="Cores">Cores in a package.</param>
/// <param name="Threads">Threads in a core.</param>
public readonly record struct CpuTopology(ushort Sockets, ushort Cores, ushort Threads)
{
    /// <summary>One package with one core with one thread: the topology of a new VM.</summary>
    public static CpuTopology Single => new(1, 1, 1);

    /// <summary>The number of threads in all.</summary>
    public long Total => (long)Sockets * Cores * Threads;
}
