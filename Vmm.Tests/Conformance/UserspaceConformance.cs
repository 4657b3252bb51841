// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>What guests show besides where the hypervisor has no interrupt controllers: the engine delivers and starts.</summary>
public abstract class UserspaceConformance : ExecutionConformance
{
    [Test]
    public void External_interrupt_waits_for_STI_and_reaches_its_handler()
    {
        // nop; sti; nop; nop; jmp $; at 0x2000, the handler of vector 0x20: out 0xa0, al
        Load(0x90, 0xfb, 0x90, 0x90, 0xeb, 0xfe);
        Write(0x2000, 0xe6, 0xa0);
        Write(0x20 * 4, 0x00, 0x20, 0x00, 0x00);
        Machine.ExternalInterruptSource = new FixedVector();
        Cpu.InjectExternalInterrupt();

        Run().Port.Port.Should().Be(0xa0);

        Cpu.IsExternalInterruptPending.Should().BeFalse();
    }

    [Test]
    public void Start_up_interrupt_starts_the_second_vCPU()
    {
        VirtualCpu second = Machine.GetVcpu(new VcpuId(1));
        second.Activate();
        // At 0x2000: mov al, 0x42; out 0x81, al
        Write(0x2000, 0xb0, 0x42, 0xe6, 0x81);
        Background runner = Background.Start(() =>
        {
            VmExit exit = second.Run(VmEntry.Default);
            exit.Port.Should().Be(new PortExit(0x81, 1, PortFlags.None, 1, 0x42));
        });
        Background.Until(() => second.GetState(out _) == VcpuState.Sleeping);

        second.InjectInit();
        second.InjectSipi(2);

        runner.Join();
    }

    private sealed class FixedVector : IExternalInterruptSource
    {
        public byte Acknowledge() => 0x20;
    }
}
