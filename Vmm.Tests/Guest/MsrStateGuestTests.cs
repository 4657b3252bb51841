// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;
using Vmm.Tests.Support;

namespace Vmm.Tests.Guest;

/// <summary>A vCPU's model-specific registers move between two VMs of one backend.</summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
public sealed class MsrStateGuestTests(string kind)
{
    private static readonly MsrIndex s_star = new(0xc000_0081);
    private static readonly MsrIndex s_pat = new(0x277);
    private static readonly MsrIndex s_defaultType = new(0x2ff);

    [TestCase(InterruptControllerMode.Userspace, "all")]
    [TestCase(InterruptControllerMode.Userspace, "but:IA32_PAT,IA32_MTRR_DEF_TYPE")]
    [TestCase(InterruptControllerMode.Kernel, "all")]
    [TestCase(InterruptControllerMode.Kernel, "but:IA32_PAT,IA32_MTRR_DEF_TYPE")]
    public void Registers_travel_in_an_order_that_works(InterruptControllerMode mode, string exposure)
    {
        using LongModeMachine source = Create(mode, exposure);
        using LongModeMachine target = Create(mode, exposure);
        source.Cpu.TrySetMsr(s_star, 0x0023_0010_0000_0000).Should().BeTrue();
        source.Cpu.TrySetMsr(s_pat, 0x0001_0406_0007_0406).Should().BeTrue();
        source.Cpu.TrySetMsr(s_defaultType, 0xc06).Should().BeTrue();
        List<MsrRefusal> refused = [];

        ImmutableArray<MsrEntry> saved = source.Cpu.SaveMsrs(source.Cpu.StateMsrs, refused);
        ImmutableArray<MsrRefusal> before = target.Cpu.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn);
        ImmutableArray<MsrRefusal> after = target.Cpu.RestoreMsrs(saved.AsSpan(), MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Warn);

        before.Concat(after).Select(refusal => refusal.ToString()).Should().BeEmpty();
        saved.Length.Should().BeGreaterThan(20);
        saved[0].Index.Should().Be(new MsrIndex(0x10));
        saved.Select(entry => entry.Index).Should().Equal(MsrStateTransfer.Order(saved.Select(entry => entry.Index)));
        Values(target).Should().Equal(Values(source));
    }

    [Test]
    public void Value_that_the_backend_refuses_is_named_and_fatal_or_tolerated()
    {
        using LongModeMachine target = Create(Backends.DefaultMode(kind), "all");
        MsrIndex lstar = new(0xc000_0082);
        MsrEntry[] entries = [new(lstar, 0x0100_0000_0000_0000), new(s_star, 0x0023_0010_0000_0000)];
        Action fatal = () => target.Cpu.RestoreMsrs(entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal);

        fatal.ShouldFail(Vmm.Abstractions.Errors.VmmError.EINVAL).Message.Should().Contain("IA32_LSTAR (0xc0000082)").And.Contain("canonical");
        target.Cpu.RestoreMsrs(entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.AllowList([lstar])).Should().ContainSingle();
        Values(target)[0].Should().Be(0x0023_0010_0000_0000);
    }

    private LongModeMachine Create(InterruptControllerMode mode, string exposure)
    {
        Backends.Require(kind, mode);
        MsrExposurePolicy.TryParse(exposure, out MsrExposurePolicy? policy, out string? problem).Should().BeTrue(problem);
        return new LongModeMachine(
            Backends.Open(kind), mode, configure: options => options with { EngineMsrs = true, MsrFilter = policy!.Compile() });
    }

    private static ulong[] Values(LongModeMachine machine) => [.. new[] { s_star, s_pat, s_defaultType }.Select(index => Read(machine, index))];

    private static ulong Read(LongModeMachine machine, MsrIndex index)
    {
        machine.Cpu.TryGetMsr(index, out ulong value).Should().BeTrue();
        return value;
    }
}
