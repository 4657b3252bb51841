// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>The figures of the processor in software.</summary>
internal sealed class SoftwareStatisticsTests
{
    private const byte SpinForEver = 0xfe;

    [Test]
    public void A_vCPU_that_is_looked_at_is_seen_executing()
    {
        using BackendGuest guest = new(new SoftwareBackend(new SoftwareBackendOptions { SamplingInterval = TimeSpan.FromMilliseconds(1) }));
        guest.BeginRealMode([0xeb, SpinForEver]);
        bool ends = false;
        Background run = Background.Start(() =>
        {
            VmExit exit = default;
            while (!Volatile.Read(ref ends))
            {
                guest.Cpu.Run(ref exit);
            }
        });

        Background.Until(() => Read(guest.Cpu, "sampled_execute") > 0);

        Volatile.Write(ref ends, true);
        run.Join();
        Read(guest.Cpu, "samples").Should().BePositive();
    }

    [Test]
    public void A_vCPU_that_does_not_run_is_seen_outside()
    {
        using BackendGuest guest = new(new SoftwareBackend(new SoftwareBackendOptions { SamplingInterval = TimeSpan.FromMilliseconds(1) }));

        Background.Until(() => Read(guest.Cpu, "samples") > 3);

        Read(guest.Cpu, "sampled_outside").Should().BePositive();
        Read(guest.Cpu, "sampled_execute").Should().Be(0);
    }

    /// <summary>The thread goes with the last vCPU and comes back with the next one.</summary>
    [Test]
    public void A_vCPU_that_comes_after_the_last_one_has_gone_is_looked_at_too()
    {
        using BackendGuest guest = new(new SoftwareBackend(new SoftwareBackendOptions { SamplingInterval = TimeSpan.FromMilliseconds(1) }));
        Background.Until(() => Read(guest.Cpu, "samples") > 0);
        guest.Cpu.Dispose();

        using IBackendVcpu next = guest.Vm.CreateVcpu(new VcpuId(1));

        Background.Until(() => Read(next, "samples") > 3);
    }

    [Test]
    public void Without_an_interval_nobody_looks()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);

        guest.Run().Code.Should().Be(ExitCode.Hlt);

        ((IBackendStatistics)guest.Cpu).ReadStatistics().Should().NotContain(statistic => statistic.Name.StartsWith("sample", StringComparison.Ordinal));
    }

    [Test]
    public void A_negative_interval_is_refused()
    {
        Func<SoftwareBackend> make = static () => new SoftwareBackend(new SoftwareBackendOptions { SamplingInterval = TimeSpan.FromTicks(-1) });

        make.Should().Throw<ArgumentOutOfRangeException>();
    }

    /// <summary>It happens on a thread of the process's pool, whose exceptions nobody could catch.</summary>
    [Test]
    public void A_translation_that_fails_is_counted_and_harms_nobody()
    {
        using SoftwareGuest guest = SoftwareGuest.RealMode([0xf4]);
        SoftwareVcpu cpu = (SoftwareVcpu)guest.Cpu;

        cpu.Translate(static () => throw new InvalidProgramException("the runtime refuses the method"));

        Read(cpu, "translations_failed").Should().Be(1);
        Read(cpu, "translations").Should().Be(0);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void A_loop_that_runs_often_is_translated_and_counted()
    {
        using BackendGuest guest = new(new SoftwareBackend(new SoftwareBackendOptions { TranslatesAfter = 10 }));
        guest.BeginLongMode([0xff, 0xc0, 0xeb, 0xfc]); // inc eax; jmp to it
        VmExit exit = default;

        Background.Until(() =>
        {
            guest.Cpu.Run(ref exit);
            return Read(guest.Cpu, "translations") > 0;
        });

        Read(guest.Cpu, "time_translating").Should().BePositive();
    }

    private static double Read(IBackendVcpu cpu, string name) =>
        ((IBackendStatistics)cpu).ReadStatistics().Single(statistic => statistic.Name == name).Value;
}
