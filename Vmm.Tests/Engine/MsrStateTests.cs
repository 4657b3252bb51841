// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>A vCPU's model-specific registers move to another VM.</summary>
public sealed class MsrStateTests : EngineFixture
{
    private static readonly MsrIndex s_star = new(0xc000_0081);
    private static readonly MsrIndex s_featureControl = new(0x3a);
    private static readonly MsrIndex s_bank = new(0x401);
    private static readonly MsrIndex s_nobodys = new(0x1234);

    [Test]
    public void Registers_of_both_owners_travel()
    {
        VirtualCpu source = MachineWithEngine("first").GetVcpu(default);
        VirtualCpu target = MachineWithEngine("second").GetVcpu(default);
        source.TrySetMsr(s_star, 0x0023_0010_0000_0000).Should().BeTrue();
        source.TrySetMsr(s_featureControl, 5).Should().BeTrue("a transfer of state is not bound by the lock");
        List<MsrRefusal> refused = [];

        ImmutableArray<MsrEntry> saved = source.SaveMsrs(source.StateMsrs, refused);
        target.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal).Should().BeEmpty();
        target.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Fatal).Should().BeEmpty();

        refused.Should().BeEmpty();
        saved[0].Index.Should().Be(new MsrIndex(0x10), "the time comes first");
        target.TryGetMsr(s_star, out ulong star);
        target.TryGetMsr(s_featureControl, out ulong control);
        (star, control).Should().Be((0x0023_0010_0000_0000, 5));
    }

    [Test]
    public void Order_of_the_registers_is_the_one_in_which_they_are_restored()
    {
        ImmutableArray<MsrIndex> registers = MachineWithEngine("test").GetVcpu(default).StateMsrs;

        registers.Should().Equal(MsrStateTransfer.Order(registers.Reverse()));
        registers.Should().Contain(s_star).And.Contain(s_featureControl);
        registers.Should().NotContain(s_bank, "the machine has no banks of machine check");
    }

    [Test]
    public void Register_that_nobody_has_is_named_when_saving()
    {
        List<MsrRefusal> refused = [];

        MachineWithEngine("test").GetVcpu(default).SaveMsrs([s_nobodys, s_star], refused).Should().ContainSingle();

        refused.Should().ContainSingle().Which.ToString().Should().StartWith("0x1234 = 0x0: ");
    }

    [Test]
    public void Refusal_is_fatal_or_a_warning_or_tolerated_by_policy()
    {
        VirtualCpu target = MachineWithEngine("test").GetVcpu(default);
        MsrEntry[] entries = [new(s_nobodys, 7), new(s_star, 9)];
        Action fatal = () => target.RestoreMsrs(entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal);
        MsrRestorePolicy tolerant = MsrRestorePolicy.AllowList([s_nobodys]);

        fatal.ShouldFail(VmmError.EINVAL).Message.Should().Contain("0x1234 = 0x7: it does not exist on this vCPU");
        target.RestoreMsrs(entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn).Should().ContainSingle();
        target.RestoreMsrs(entries, MsrRestorePhase.BeforeLocalApic, tolerant).Should().ContainSingle().Which.Index.Should().Be(s_nobodys);
        target.TryGetMsr(s_star, out ulong star).Should().BeTrue();
        star.Should().Be(9, "the others are restored all the same");
    }

    [Test]
    public void Without_the_engines_registers_the_hypervisors_are_the_state()
    {
        VirtualCpu cpu = Machine.GetVcpu(default);

        cpu.StateMsrs.Should().BeEquivalentTo(FakeVcpu.KnownMsrs.Select(index => new MsrIndex(index)));
    }

    private VirtualMachine MachineWithEngine(string name) => Create(Options(name) with { EngineMsrs = true });
}
