// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Who answers for a register that the hypervisor hands over.</summary>
public sealed class MsrLayerTests : EngineFixture
{
    private const uint FeatureControl = 0x3a;
    private const uint PlatformId = 0x17;
    private const uint UpdateTrigger = 0x79;
    private const uint Pat = 0x277;
    private const uint Star = 0xc000_0081;
    private const uint TscAdjust = 0x3b;
    private const uint Nobodys = 0x1234;

    [Test]
    public void Handler_comes_before_the_engine()
    {
        FakeVcpu guest = StartWithEngine();
        Machine.Msrs.Attach(new MsrIndex(FeatureControl), new MsrIndex(FeatureControl), new FakeMsrs { Value = 5 });
        guest.ThenRdmsr(FeatureControl).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(5);
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(FeatureControl), MsrAnswer.Handler, 1, 0));
    }

    [Test]
    public void Engine_answers_after_a_handler_that_does_not()
    {
        FakeVcpu guest = StartWithEngine();
        Machine.Msrs.Attach(
            new MsrIndex(FeatureControl), new MsrIndex(FeatureControl), new FakeMsrs { Value = 5, Outcome = MsrOutcome.Unhandled });
        guest.ThenRdmsr(FeatureControl).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(1, "the register is locked from reset on");
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(FeatureControl), MsrAnswer.Ours, 1, 0));
        Cpu.Counters.UnclaimedMsrs.Should().Be(0);
    }

    [Test]
    public void Value_that_the_engine_refuses_faults()
    {
        FakeVcpu guest = StartWithEngine().ThenWrmsr(FeatureControl, 5).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.GeneralProtection));
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(FeatureControl), MsrAnswer.Refused, 0, 1));
    }

    [Test]
    public void What_is_known_comes_before_the_policy()
    {
        FakeVcpu guest = StartWithEngine().ThenRdmsr(PlatformId).ThenWrmsr(UpdateTrigger, 7).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.Handled), (0ul, MsrOutcome.Handled));
        Accesses().Should().OnlyContain(count => count.Answer == MsrAnswer.Policy);
        Cpu.Counters.UnclaimedMsrs.Should().Be(0);
    }

    [TestCase(UnclaimedMsr.GeneralProtection, MsrOutcome.GeneralProtection, MsrAnswer.Fault)]
    [TestCase(UnclaimedMsr.ReadZeroIgnoreWrite, MsrOutcome.Handled, MsrAnswer.Policy)]
    public void Policy_decides_about_the_rest(UnclaimedMsr policy, MsrOutcome outcome, MsrAnswer answer)
    {
        FakeVcpu guest = StartWithEngine(options => options with { UnclaimedMsr = policy }).ThenWrmsr(Nobodys, 9).ThenRdmsr(Nobodys).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, outcome), (0ul, outcome));
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(Nobodys), answer, 1, 1));
        Cpu.Counters.UnclaimedMsrs.Should().Be(2);
    }

    [Test]
    public void Embedder_is_asked_when_that_is_the_policy()
    {
        StartWithEngine(options => options with { UnclaimedMsr = UnclaimedMsr.Exit }).ThenRdmsr(Nobodys).ThenPause();

        VmExit exit = Run();
        exit.Msr.Index.Should().Be(new MsrIndex(Nobodys));
        Run(VmEntry.FulfillMsr(exit.Msr.Index, MsrOutcome.Handled, 0x77)).Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x77);
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(Nobodys), MsrAnswer.Embedder, 1, 0));
    }

    [Test]
    public void Without_the_option_the_engine_keeps_nothing()
    {
        Use(Options() with { UnclaimedMsr = UnclaimedMsr.Exit });
        Start().ThenRdmsr(FeatureControl);

        Run().Msr.Index.Should().Be(new MsrIndex(FeatureControl));
    }

    [TestCase(UnclaimedMsr.ReadZeroIgnoreWrite)]
    [TestCase(UnclaimedMsr.Exit)]
    public void Refused_value_of_a_register_that_the_hypervisor_has_faults_whatever_the_policy(UnclaimedMsr policy)
    {
        const uint Lstar = 0xc000_0082;
        FakeVcpu guest = StartWithEngine(options => options with { UnclaimedMsr = policy })
            .ThenWrmsr(Lstar, 0x0100_0000_0000_0000, MsrExitReason.Refused).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.GeneralProtection));
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(Lstar), MsrAnswer.Refused, 0, 1));
    }

    [Test]
    public void Refused_register_that_the_processor_lacks_is_the_policys()
    {
        const uint Xss = 0xda0;
        FakeVcpu guest = StartWithEngine(options => options with { UnclaimedMsr = UnclaimedMsr.ReadZeroIgnoreWrite })
            .ThenWrmsr(Xss, 0, MsrExitReason.Refused).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.Handled));
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(Xss), MsrAnswer.Policy, 0, 1));
    }

    [Test]
    public void Register_kept_from_the_hypervisor_is_the_engines()
    {
        FakeVcpu guest = StartWithEngine(options => options with { MsrFilter = Filter("but:IA32_PAT") })
            .ThenWrmsr(Pat, 0x0001_0406_0007_0406, MsrExitReason.Filtered).ThenRdmsr(Pat, MsrExitReason.Filtered).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.GetRegister(RegisterName.Rax).Should().Be(0x0001_0406_0007_0406);
        Cpu.TryGetMsr(new MsrIndex(Pat), out ulong value).Should().BeTrue();
        value.Should().Be(0x0001_0406_0007_0406, "the engine's value is the state");
        guest.TryGetMsr(new MsrIndex(Pat), out ulong hypervisors).Should().BeTrue();
        hypervisors.Should().Be(0, "the hypervisor's register is not touched");
        Accesses().Should().Equal(new MsrAccessCount(new MsrIndex(Pat), MsrAnswer.Ours, 1, 1));
    }

    [Test]
    public void Register_kept_from_the_hypervisor_one_way_is_carried_out_there()
    {
        FakeVcpu guest = StartWithEngine(options => options with { MsrFilter = Filter("but:IA32_PAT:w") })
            .ThenWrmsr(Pat, 0x0001_0406_0007_0406, MsrExitReason.Filtered).ThenWrmsr(Pat, 2, MsrExitReason.Filtered).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.TryGetMsr(new MsrIndex(Pat), out ulong value).Should().BeTrue();
        value.Should().Be(0x0001_0406_0007_0406);
        guest.Answers.Select(answer => answer.Outcome).Should().Equal(MsrOutcome.Handled, MsrOutcome.GeneralProtection);
        Accesses().Select(count => count.Answer).Should().Equal(MsrAnswer.Refused, MsrAnswer.Hypervisor);
    }

    [Test]
    public void Register_of_the_hypervisors_layer_that_is_kept_from_it_is_nobodys()
    {
        FakeVcpu guest = StartWithEngine(options => options with { MsrFilter = Filter("but:IA32_STAR") })
            .ThenRdmsr(Star, MsrExitReason.Filtered).ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((0ul, MsrOutcome.GeneralProtection));
    }

    [Test]
    public void Filter_reaches_the_hypervisor()
    {
        MsrFilter filter = Filter("only:IA32_TSC");

        Use(Options() with { MsrFilter = filter });

        ((FakeVm)Machine.BackendVm).Options.MsrFilter.Should().BeSameAs(filter);
    }

    [Test]
    public void Reset_puts_the_engines_registers_back_and_INIT_does_not()
    {
        StartWithEngine();
        Cpu.TrySetMsr(new MsrIndex(TscAdjust), 5).Should().BeTrue();

        Cpu.Reset(initOnly: true);
        Cpu.TryGetMsr(new MsrIndex(TscAdjust), out ulong afterInit);
        Cpu.Reset(initOnly: false);
        Cpu.TryGetMsr(new MsrIndex(TscAdjust), out ulong afterReset);

        (afterInit, afterReset).Should().Be((5ul, 0ul));
    }

    [Test]
    public void Any_register_and_value_is_answered([Range(1, 8)] int seed)
    {
        Random random = new(seed);
        FakeVcpu guest = StartWithEngine();
        MsrExitReason[] reasons = Enum.GetValues<MsrExitReason>();
        ImmutableArray<MsrDescription> all = MsrRegistry.All;
        for (int i = 0; i < 500; i++)
        {
            uint index = random.Next(2) == 0 ? all[random.Next(all.Length)].Number : (uint)random.NextInt64();
            MsrExitReason reason = reasons[random.Next(reasons.Length)];
            _ = random.Next(2) == 0 ? guest.ThenRdmsr(index, reason) : guest.ThenWrmsr(index, (ulong)random.NextInt64(), reason);
        }

        guest.ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);
        guest.Answers.Should().HaveCount(500);
        Accesses().Sum(count => count.Reads + count.Writes).Should().Be(500);
    }

    private static MsrFilter Filter(string text)
    {
        MsrExposurePolicy.TryParse(text, out MsrExposurePolicy? policy, out string? problem).Should().BeTrue(problem);
        return policy!.Compile();
    }

    private FakeVcpu StartWithEngine(Func<VirtualMachineOptions, VirtualMachineOptions>? configure = null)
    {
        // The scripted processor lacks what brings IA32_TSC_ADJUST along.
        Backend = new FakeBackend
        {
            SupportedCpuid = [.. Backend.SupportedCpuid, new(7, 0, true, 0, 1 << 1, 0, 0)],
        };
        VirtualMachineOptions options = Options() with { EngineMsrs = true, UnclaimedMsr = UnclaimedMsr.GeneralProtection };
        Use(configure is null ? options : configure(options));
        return Start();
    }

    private ImmutableArray<MsrAccessCount> Accesses() => Machine.MsrAccesses.Snapshot();
}
