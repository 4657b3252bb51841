// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class VcpuLeavesTests
{
    [TestCase(3, 1, 4, 2, 3u)]
    [TestCase(3, 2, 3, 1, 4u)]
    [TestCase(5, 2, 2, 3, 6u)]
    [TestCase(11, 1, 12, 1, 11u)]
    public void Apic_identifiers_have_a_field_for_each_level(int number, int sockets, int cores, int threads, uint id) =>
        VcpuLeaves.ApicId(number, new CpuTopology((ushort)sockets, (ushort)cores, (ushort)threads)).Should().Be(id);

    [Test]
    public void Any_topology_is_told_alike_by_every_leaf([Range(1, 40)] int seed)
    {
        Random random = new(seed);
        CpuTopology topology = new((ushort)random.Next(1, 9), (ushort)random.Next(1, 33), (ushort)random.Next(1, 5));
        CpuidEntry[] supported =
        [
            .. Machines.Everything(seed % 2 == 0 ? "GenuineIntel" : "AuthenticAMD"),
            new(0x8000_001d, 0, true, 0x121, 63, 0, 0), new(0x8000_001d, 3, true, 0x163, 63, 0, 0), new(0x8000_001e, 0, false, 0, 0, 0, 0),
        ];
        HashSet<uint> ids = [];
        for (int number = 0; number < topology.Total; number++)
        {
            uint id = VcpuLeaves.ApicId(number, topology);
            CpuidEntry[] entries = VcpuLeaves.Adapt(supported, id, topology);
            int thread = number % topology.Threads;
            int core = number / topology.Threads % topology.Cores;
            int socket = number / topology.Threads / topology.Cores;

            ids.Add(id).Should().BeTrue();
            CpuidEntry smt = Find(entries, 0xb, 0);
            CpuidEntry package = Find(entries, 0xb, 1);
            (smt.Edx & ((1u << (int)smt.Eax) - 1)).Should().Be((uint)thread);
            (smt.Edx >> (int)smt.Eax & ((1u << (int)(package.Eax - smt.Eax)) - 1)).Should().Be((uint)core);
            (package.Edx >> (int)package.Eax).Should().Be((uint)socket);
            (smt.Ebx, package.Ebx).Should().Be((topology.Threads, (uint)topology.Threads * topology.Cores));
            (smt.Ecx, package.Ecx, Find(entries, 0xb, 2).Ecx).Should().Be((0x100u, 0x201u, 2u));

            CpuidEntry one = Find(entries, 1, 0);
            (one.Ebx >> 24).Should().Be(id & 0xff);
            (one.Ebx >> 16 & 0xff).Should().Be(Math.Min(255u, package.Ebx));
            ((one.Edx >> 28 & 1) != 0).Should().Be(package.Ebx > 1);
            (Find(entries, 4, 0).Eax >> 14 & 0xfff).Should().Be(smt.Ebx - 1);
            (Find(entries, 0x8000_001d, 3).Eax >> 14 & 0xfff).Should().Be(package.Ebx - 1);
            (Find(entries, 0x8000_001e, 0).Eax, Find(entries, 0x8000_001e, 0).Ebx & 0xff).Should().Be((id, (uint)core));
        }
    }

    [TestCase(0, 0, 0)]
    [TestCase(65535, 65535, 65535)]
    public void Topology_beyond_reason_does_not_throw(int sockets, int cores, int threads)
    {
        CpuTopology topology = new((ushort)sockets, (ushort)cores, (ushort)threads);

        Action adapt = () => VcpuLeaves.Adapt(Machines.Everything("AuthenticAMD"), VcpuLeaves.ApicId(int.MaxValue, topology), topology);

        adapt.Should().NotThrow();
    }

    [Test]
    public void Leaves_stay_in_order() =>
        VcpuLeaves.Adapt(Machines.Everything("GenuineIntel"), 1, new CpuTopology(1, 2, 1))
            .Select(entry => (entry.Function, entry.Index)).Should().BeInAscendingOrder();

    [Test]
    public void Amd_says_how_many_bits_an_identifier_has()
    {
        CpuidEntry entry = Find(VcpuLeaves.Adapt(Machines.Everything("AuthenticAMD"), 0, new CpuTopology(1, 6, 2)), 0x8000_0008, 0);

        entry.Ecx.Should().Be(4 << 12 | 11);
    }

    private static CpuidEntry Find(CpuidEntry[] entries, uint function, uint index) =>
        entries.Single(entry => entry.Function == function && entry.Index == index);
}
