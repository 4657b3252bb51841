// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>The run loop allocates nothing per exit.</summary>
[NonParallelizable]
public sealed class AllocationTests : EngineFixture
{
    private const int Exits = 100_000;
    private const int WarmUp = 1_000;

    private static readonly FakeStep s_out = (FakeVcpu vcpu, ref VmExit exit) => vcpu.Out(ref exit, 0x80, 1, 1);
    private static readonly FakeStep s_in = (FakeVcpu vcpu, ref VmExit exit) => vcpu.In(ref exit, 0x80, 4);
    private static readonly FakeStep s_read =
        (FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioRead(ref exit, 0xd0000000, 4);

    private static readonly FakeStep s_write =
        (FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioWrite(ref exit, 0xd0000000, 4, 1);

    private static readonly FakeStep s_rdmsr = (FakeVcpu vcpu, ref VmExit exit) => vcpu.Rdmsr(ref exit, 0x10);
    private static readonly FakeStep s_wrmsr = (FakeVcpu vcpu, ref VmExit exit) => vcpu.Wrmsr(ref exit, 0x10, 1);

    private static IEnumerable<TestCaseData> Steps()
    {
        yield return new TestCaseData(s_out).SetName("Handled_output_allocates_nothing");
        yield return new TestCaseData(s_in).SetName("Handled_input_allocates_nothing");
        yield return new TestCaseData(s_read).SetName("Handled_memory_mapped_read_allocates_nothing");
        yield return new TestCaseData(s_write).SetName("Handled_memory_mapped_write_allocates_nothing");
        yield return new TestCaseData(s_rdmsr).SetName("Handled_RDMSR_allocates_nothing");
        yield return new TestCaseData(s_wrmsr).SetName("Handled_WRMSR_allocates_nothing");
    }

    [TestCaseSource(nameof(Steps))]
    public void Allocation(object step)
    {
        Counter counter = new();
        Machine.Ports.Attach(0x80, counter);
        Machine.Mmio.Attach(GuestPhysicalRange.Create(At(0xd0000000), Page), counter);
        Machine.Msrs.Attach(new MsrIndex(0x10), new MsrIndex(0x10), counter);
        FakeVcpu guest = Start();
        guest.RecordsAnswers = false;
        guest.WhenEmpty = (FakeStep)step;

        RunFor(counter, WarmUp);
        long before = GC.GetAllocatedBytesForCurrentThread();
        RunFor(counter, Exits);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        counter.Left.Should().Be(0);
        allocated.Should().Be(0, "{0} exits were handled", Exits);
    }

    [Test]
    public void Exit_to_the_caller_and_its_answer_allocate_nothing()
    {
        FakeVcpu guest = Start();
        guest.RecordsAnswers = false;
        guest.WhenEmpty = s_in;
        AnswerAll(WarmUp);
        long before = GC.GetAllocatedBytesForCurrentThread();
        AnswerAll(Exits);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    private void AnswerAll(int count)
    {
        VmEntry entry = VmEntry.Default;
        for (int i = 0; i < count; i++)
        {
            entry = VmEntry.FulfillPort(Cpu.Run(entry).Port, (uint)i);
        }
    }

    private void RunFor(Counter counter, int exits)
    {
        counter.Left = exits;
        Run();
    }

    /// <summary>Claims everything and asks the vCPU to return after so many accesses.</summary>
    private sealed class Counter : IPortHandler, IMmioHandler, IMsrHandler
    {
        public int Left { get; set; }

        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 1;
            Count(vcpu);
            return PortOutcome.Handled;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            Count(vcpu);
            return PortOutcome.Handled;
        }

        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
        {
            Count(vcpu);
            return 1;
        }

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) => Count(vcpu);

        public MsrOutcome Read(IVirtualCpu vcpu, MsrIndex index, out ulong value)
        {
            value = 1;
            Count(vcpu);
            return MsrOutcome.Handled;
        }

        public MsrOutcome Write(IVirtualCpu vcpu, MsrIndex index, ulong value)
        {
            Count(vcpu);
            return MsrOutcome.Handled;
        }

        private void Count(IVirtualCpu vcpu)
        {
            if (--Left == 0)
            {
                vcpu.RequestYield();
            }
        }
    }
}
