// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Abstractions;

/// <summary>Sets of vCPUs, also beyond one word.</summary>
public sealed class VcpuSetTests
{
    private static readonly int[] s_members = [0, 1, 63, 64, 65, 127, 128, 254, 1000];

    private static VcpuSet Full => s_members.Aggregate(VcpuSet.Empty, (set, id) => set.With(new VcpuId(id)));

    [Test]
    public void Members_are_what_was_added_in_ascending_order()
    {
        VcpuSet set = s_members.Reverse().Aggregate(VcpuSet.Empty, (all, id) => all.With(new VcpuId(id)));

        set.Select(id => id.Value).Should().Equal(s_members);
        set.Count.Should().Be(s_members.Length);
        set.Contains(new VcpuId(64)).Should().BeTrue();
        set.Contains(new VcpuId(66)).Should().BeFalse();
        set.Contains(new VcpuId(100_000)).Should().BeFalse();
        set.Contains(new VcpuId(-1)).Should().BeFalse();
        set.ToString().Should().Be("{0,1,63,64,65,127,128,254,1000}");
    }

    [Test]
    public void Set_is_not_changed_by_its_successors()
    {
        VcpuSet before = Full;

        _ = before.Without(new VcpuId(254));
        _ = before.With(new VcpuId(255));

        before.Should().Equal(Full);
    }

    [Test]
    public void Removing_the_last_member_of_a_high_word_makes_equal_sets()
    {
        VcpuSet small = VcpuSet.Empty.With(new VcpuId(3));
        VcpuSet large = small.With(new VcpuId(300)).Without(new VcpuId(300));

        (large == small).Should().BeTrue();
        (large != small).Should().BeFalse();
        large.Equals((object)small).Should().BeTrue();
        large.GetHashCode().Should().Be(small.GetHashCode());
        (large == small.With(new VcpuId(300))).Should().BeFalse();
    }

    [Test]
    public void Removing_what_is_not_there_changes_nothing()
    {
        (Full.Without(new VcpuId(5000)) == Full).Should().BeTrue();
        (Full.Without(new VcpuId(2)) == Full).Should().BeTrue();
    }

    [Test]
    public void Subset_looks_at_every_word()
    {
        VcpuSet.Empty.IsSubsetOf(VcpuSet.Empty).Should().BeTrue();
        Full.Without(new VcpuId(1000)).IsSubsetOf(Full).Should().BeTrue();
        Full.IsSubsetOf(Full.Without(new VcpuId(1000))).Should().BeFalse();
        VcpuSet.Empty.With(new VcpuId(64)).IsSubsetOf(VcpuSet.Empty.With(new VcpuId(0))).Should().BeFalse();
    }

    [Test]
    public void Default_is_empty_and_negative_members_are_refused()
    {
        default(VcpuSet).IsEmpty.Should().BeTrue();
        Action add = () => VcpuSet.Empty.With(new VcpuId(-1));
        Action remove = () => VcpuSet.Empty.Without(new VcpuId(-1));

        add.Should().Throw<ArgumentOutOfRangeException>();
        remove.Should().Throw<ArgumentOutOfRangeException>();
    }
}
