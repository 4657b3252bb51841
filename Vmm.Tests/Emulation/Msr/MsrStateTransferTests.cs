// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;

namespace Vmm.Tests.Emulation.Msr;

public sealed class MsrStateTransferTests
{
    private static readonly MsrIndex s_tsc = new(0x10);
    private static readonly MsrIndex s_pat = new(0x277);
    private static readonly MsrIndex s_deadline = new(0x6e0);
    private static readonly MsrIndex s_star = new(0xc0000081);

    [Test]
    public void Time_comes_first_and_the_deadline_last()
    {
        IEnumerable<MsrIndex> all = MsrRegistry.All.Select(description => description.Index).Reverse();

        ImmutableArray<MsrIndex> order = MsrStateTransfer.Order(all);

        order[0].Should().Be(s_tsc);
        order[^1].Should().Be(s_deadline);
        order.IndexOf(new MsrIndex(0x3b)).Should().BeLessThan(order.IndexOf(s_pat));
        order.IndexOf(new MsrIndex(0x4b564d01)).Should().BeLessThan(order.IndexOf(s_star));
        order.IndexOf(new MsrIndex(0x38f)).Should().BeGreaterThan(order.IndexOf(new MsrIndex(0xc1)), "what starts counting comes after the counters");
        order.IndexOf(new MsrIndex(0x1b)).Should().BeGreaterThan(order.IndexOf(new MsrIndex(0x38f)));
        order.Should().NotContain(new MsrIndex(0x49)).And.NotContain(new MsrIndex(0x808));
    }

    [Test]
    public void What_cannot_be_read_is_named()
    {
        FakeTarget source = new() { [s_pat] = 5 };
        List<MsrRefusal> refused = [];

        ImmutableArray<MsrEntry> saved = MsrStateTransfer.Save(source, [s_star, s_pat], refused);

        saved.Should().Equal(new MsrEntry(s_pat, 5));
        refused.Should().ContainSingle().Which.ToString().Should().StartWith("IA32_STAR (0xc0000081) = 0x0: the hypervisor does not read it");
    }

    [Test]
    public void Phases_are_restored_apart_and_in_order()
    {
        FakeTarget target = new() { [s_tsc] = 0, [s_pat] = 0, [s_deadline] = 0, [s_star] = 0 };
        MsrEntry[] entries = [new(s_deadline, 4), new(s_star, 3), new(s_pat, 2), new(s_tsc, 1)];

        MsrStateTransfer.Restore(target, entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal);
        target.Written.Should().Equal(s_tsc, s_star, s_pat);
        MsrStateTransfer.Restore(target, entries, MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Fatal);
        target.Written.Should().Equal(s_tsc, s_star, s_pat, s_deadline);
    }

    [Test]
    public void Saved_registers_restore_into_an_equal_target([Range(1, 10)] int seed)
    {
        Random random = new(seed);
        FakeTarget source = [];
        FakeTarget target = [];
        foreach (MsrDescription description in MsrRegistry.All.Where(_ => random.Next(3) == 0))
        {
            source[description.Index] = (ulong)random.NextInt64();
            target[description.Index] = 0;
        }

        ImmutableArray<MsrEntry> saved = MsrStateTransfer.Save(source, source.Indices, []);
        MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal).Should().BeEmpty();
        MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Fatal).Should().BeEmpty();

        saved.Should().OnlyContain(entry => target[entry.Index] == entry.Value);
    }

    [Test]
    public void Refusal_is_fatal_by_default_and_names_value_and_reason()
    {
        FakeTarget target = new() { Refused = { s_pat }, [s_pat] = 0x0606 };
        Action restore = () => MsrStateTransfer.Restore(target, [new(s_pat, 0x0202)], MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal);

        restore.Should().Throw<VmmException>()
            .WithMessage("*IA32_PAT (0x277) = 0x202: a memory type is not 0, 1 or 4 to 7*").Where(refusal => refusal.Error == VmmError.EINVAL);
    }

    [Test]
    public void Refusal_that_is_tolerated_is_reported()
    {
        FakeTarget target = new() { Refused = { s_star } };
        MsrEntry[] entries = [new(s_star, 7)];

        MsrStateTransfer.Restore(target, entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn)
            .Should().ContainSingle().Which.Reason.Should().Be("it does not exist on this vCPU; it comes with syscall");
        MsrStateTransfer.Restore(target, entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.AllowList([s_star])).Should().ContainSingle();
        Action other = () => MsrStateTransfer.Restore(target, entries, MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.AllowList([s_pat]));
        other.Should().Throw<VmmException>();
    }

    [Test]
    public void Refused_register_that_has_the_value_already_is_restored()
    {
        FakeTarget target = new() { Refused = { s_star }, [s_star] = 7 };

        MsrStateTransfer.Restore(target, [new(s_star, 7)], MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal).Should().BeEmpty();
    }

    [Test]
    public void Value_that_does_not_stay_is_reported()
    {
        FakeTarget target = new() { Fixed = { s_star }, [s_star] = 1 };

        MsrStateTransfer.Restore(target, [new(s_star, 7)], MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn)
            .Should().ContainSingle().Which.Reason.Should().Contain("reads back as something else");
    }

    [Test]
    public void Addresses_of_the_guest_are_not_shown() =>
        new MsrRefusal(new MsrIndex(0xc0000082), 0xffffffff81000000, "no").ToString().Should().NotContain("81000000");

    private sealed class FakeTarget : IMsrTarget, System.Collections.IEnumerable
    {
        private readonly Dictionary<MsrIndex, ulong> _values = [];

        public HashSet<MsrIndex> Refused { get; } = [];

        public HashSet<MsrIndex> Fixed { get; } = [];

        public List<MsrIndex> Written { get; } = [];

        public IEnumerable<MsrIndex> Indices => _values.Keys;

        public ulong this[MsrIndex index]
        {
            get => _values[index];
            set => _values[index] = value;
        }

        public bool TryGetMsr(MsrIndex index, out ulong value) => _values.TryGetValue(index, out value);

        public bool TrySetMsr(MsrIndex index, ulong value)
        {
            if (Refused.Contains(index) || !_values.TryGetValue(index, out ulong current))
            {
                return false;
            }

            Written.Add(index);
            _values[index] = Fixed.Contains(index) ? current : value;
            return true;
        }

        public System.Collections.IEnumerator GetEnumerator() => _values.GetEnumerator();
    }
}
