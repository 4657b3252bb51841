// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Software;

/// <summary>Two vCPUs in software that meet in the same memory: no locked access is lost (volume 3, bus locking).</summary>
public sealed class LockedAccessTests
{
    private const ulong Cell = LongModeMachine.Data;

    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    [SetUp]
    public void MakeGuest() => _guest = new LongModeMachine(new SoftwareBackend(), cpus: 2);

    [TearDown]
    public void DisposeGuest()
    {
        _guest?.Dispose();
        _guest = null;
    }

    [TestCase(Cell, 20_000, TestName = "Aligned")]
    [TestCase(Cell + 60, 20_000, TestName = "Across_cache_lines")]
    [TestCase(Cell + 0xffc, 2_000, TestName = "Across_pages")]
    public void Additions_are_not_lost(ulong cell, int rounds)
    {
        RunBoth(a =>
        {
            Label again = a.CreateLabel();
            a.mov(r8d, rounds);
            a.mov(rsi, cell);
            a.Label(ref again);
            a.mov(ecx, 1);
            a.@lock.xadd(__qword_ptr[rsi], rcx);
            a.@lock.inc(__dword_ptr[rsi + 8]);
            a.dec(r8d);
            a.jne(again);
        });

        Guest.Read64(cell).Should().Be((ulong)(2 * rounds));
        ((uint)Guest.Read64(cell + 8)).Should().Be((uint)(2 * rounds));
    }

    [Test]
    public void Exchanges_of_16_bytes_are_not_lost()
    {
        const int Rounds = 10_000;
        RunBoth(a => LockedLoops.CountIn16Bytes(a, Cell, Rounds));

        Guest.Read64(Cell).Should().Be(2 * Rounds);
        Guest.Read64(Cell + 8).Should().Be(6 * Rounds);
    }

    private void RunBoth(Action<Assembler> write)
    {
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            write(a);
            LongModeMachine.End(a);
        });
        Guest.Assemble(write);
        List<Background> runs = [];
        for (int i = 0; i < Guest.Machine.MaxCpus; i++)
        {
            VirtualCpu cpu = Guest.Machine.GetVcpu(new VcpuId(i));
            runs.Add(Background.Start(() => cpu.Run(VmEntry.Default).Code.Should().Be(ExitCode.Inout)));
        }

        runs.ForEach(run => run.Join());
    }
}
