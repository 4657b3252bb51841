// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Tests.Emulation.Msr;

/// <summary>What happens to registers that nobody has, and how accesses are counted.</summary>
public sealed class MsrAccessTests
{
    [TestCase(0x8bu, MsrOutcome.Handled, 0ul)]
    [TestCase(0x17u, MsrOutcome.Handled, 0ul)]
    [TestCase(0x140u, MsrOutcome.Handled, 0ul)]
    [TestCase(0x606u, MsrOutcome.Handled, 0xa1003ul)]
    [TestCase(0x611u, MsrOutcome.Handled, 0ul)]
    [TestCase(0xc0010015u, MsrOutcome.Handled, 0x01000210ul)]
    [TestCase(0xc0010114u, MsrOutcome.Handled, 0x10ul)]
    [TestCase(0xc24u, MsrOutcome.GeneralProtection, 0ul)]
    [TestCase(0x7777u, MsrOutcome.GeneralProtection, 0ul)]
    [TestCase(0x277u, MsrOutcome.GeneralProtection, 0ul)]
    public void Known_registers_read_whatever_the_policy(uint index, MsrOutcome outcome, ulong value)
    {
        new UnknownMsrs(UnknownMsrPolicy.GeneralProtection).Read(new MsrIndex(index), out ulong found).Should().Be(outcome);
        found.Should().Be(value);
    }

    [TestCase(0x79u, 1ul, MsrOutcome.Handled)]
    [TestCase(0x8bu, 0ul, MsrOutcome.Handled)]
    [TestCase(0xd04u, 5ul, MsrOutcome.Handled)]
    [TestCase(0xc24u, 5ul, MsrOutcome.Handled)]
    [TestCase(0xc0010015u, 0ul, MsrOutcome.Handled)]
    [TestCase(0xc001001fu, 0ul, MsrOutcome.Handled)]
    [TestCase(0x140u, 0ul, MsrOutcome.Handled)]
    [TestCase(0x140u, 1ul, MsrOutcome.GeneralProtection)]
    [TestCase(0x611u, 0ul, MsrOutcome.GeneralProtection)]
    public void Known_registers_are_written_whatever_the_policy(uint index, ulong value, MsrOutcome outcome) =>
        new UnknownMsrs(UnknownMsrPolicy.GeneralProtection).Write(new MsrIndex(index), value).Should().Be(outcome);

    [TestCase(UnknownMsrPolicy.GeneralProtection, MsrOutcome.GeneralProtection)]
    [TestCase(UnknownMsrPolicy.ReadZeroIgnoreWrite, MsrOutcome.Handled)]
    [TestCase(UnknownMsrPolicy.Ask, MsrOutcome.Unhandled)]
    public void Policy_decides_the_others(UnknownMsrPolicy policy, MsrOutcome outcome)
    {
        UnknownMsrs unknown = new(policy);

        unknown.Read(new MsrIndex(0x7777), out ulong value).Should().Be(outcome);
        value.Should().Be(0);
        unknown.Write(new MsrIndex(0x7777), 1).Should().Be(outcome);
    }

    [Test]
    public void Registers_of_the_other_vendor_are_unknown() =>
        new UnknownMsrs(UnknownMsrPolicy.GeneralProtection, CpuVendor.Intel).Read(new MsrIndex(0xc0010015), out _)
            .Should().Be(MsrOutcome.GeneralProtection);

    [Test]
    public void First_access_of_a_kind_is_told_once()
    {
        MsrAccessLog log = new();

        log.Record(new MsrIndex(0x10), false, MsrAnswer.Ours).Should().BeTrue();
        log.Record(new MsrIndex(0x10), false, MsrAnswer.Ours).Should().BeFalse();
        log.Record(new MsrIndex(0x10), true, MsrAnswer.Ours).Should().BeTrue();
        log.Record(new MsrIndex(0x10), false, MsrAnswer.Fault).Should().BeTrue();

        log.Snapshot().Should().Equal(
            new MsrAccessCount(new MsrIndex(0x10), MsrAnswer.Ours, 2, 1), new MsrAccessCount(new MsrIndex(0x10), MsrAnswer.Fault, 1, 0));
        log.Snapshot()[0].Name.Should().Be("IA32_TSC");
    }

    [Test]
    public void Guest_that_tries_every_register_takes_no_more_memory()
    {
        MsrAccessLog log = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint index = 0; index < 5000; index++)
        {
            log.Record(new MsrIndex(index * 77_777), false, MsrAnswer.Fault);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        log.Snapshot().Should().HaveCount(MsrAccessLog.Capacity);
        log.Others.Should().Be(5000 - MsrAccessLog.Capacity);
    }

    [Test]
    public void No_access_of_several_threads_is_lost()
    {
        const int Accesses = 20_000;
        MsrAccessLog log = new();
        int firsts = 0;
        Parallel.For(0, 4, _ =>
        {
            for (int access = 0; access < Accesses; access++)
            {
                if (log.Record(new MsrIndex((uint)(access % 1500)), true, MsrAnswer.Policy))
                {
                    Interlocked.Increment(ref firsts);
                }
            }
        });

        (log.Snapshot().Sum(count => count.Writes) + log.Others).Should().Be(4 * Accesses);
        log.Snapshot().Length.Should().Be(firsts).And.BeLessThanOrEqualTo(MsrAccessLog.Capacity);
    }
}
