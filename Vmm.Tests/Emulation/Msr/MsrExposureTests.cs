// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;

namespace Vmm.Tests.Emulation.Msr;

public sealed class MsrExposureTests
{
    [Test]
    public void All_needs_no_filter() => MsrExposurePolicy.All.Compile().IsEmpty.Should().BeTrue();

    [Test]
    public void List_of_allowed_registers_denies_the_others()
    {
        MsrFilter filter = Parse("only:IA32_TSC,0xc0000080-0xc0000084").Compile();

        filter.IsDefaultAllow.Should().BeFalse();
        filter.Ranges.Should().HaveCount(2);
        filter.Allows(new MsrIndex(0x10), false).Should().BeTrue();
        filter.Allows(new MsrIndex(0xc0000084), true).Should().BeTrue();
        filter.Allows(new MsrIndex(0x11), false).Should().BeFalse();
    }

    [Test]
    public void Direction_is_kept_apart()
    {
        MsrFilter filter = Parse("but:IA32_PAT:w").Compile();

        filter.Allows(new MsrIndex(0x277), isWrite: false).Should().BeTrue();
        filter.Allows(new MsrIndex(0x277), isWrite: true).Should().BeFalse();
        filter.Ranges.Should().ContainSingle().Which.Directions.Should().Be(MsrDirections.Write);
    }

    [Test]
    public void Empty_list_denies_everything_with_a_range_that_the_kernel_takes()
    {
        MsrFilter filter = new MsrExposurePolicy(MsrExposure.Only, []).Compile();

        filter.Ranges.Should().ContainSingle().Which.Count.Should().Be(1);
        filter.Allows(default, false).Should().BeFalse();
        filter.Allows(new MsrIndex(0x10), false).Should().BeFalse();
    }

    [Test]
    public void Registers_of_the_local_apic_cannot_be_filtered_and_that_is_said()
    {
        MsrFilter filter = Parse("but:0x7ff-0x900").Compile();

        filter.Remarks.Should().ContainSingle().Which.Should().Contain("0x800 to 0x8ff");
        filter.Ranges.Should().OnlyContain(range => range.Last.Value < 0x800 || range.First.Value > 0x8ff);
        filter.Allows(new MsrIndex(0x808), true).Should().BeTrue();
        filter.Allows(new MsrIndex(0x7ff), true).Should().BeFalse();
        filter.Allows(new MsrIndex(0x900), true).Should().BeFalse();
    }

    [Test]
    public void Near_registers_share_a_range_when_there_are_too_many()
    {
        ImmutableArray<MsrSelection> registers = [.. Enumerable.Range(0, 100).Select(number => One((uint)(0x1000 + number * 50)))];

        MsrFilter filter = new MsrExposurePolicy(MsrExposure.AllBut, registers).Compile();

        filter.Ranges.Should().HaveCount(16);
        Enumerable.Range(0x1000, 5000).Should().OnlyContain(index => filter.Allows(new MsrIndex((uint)index), true) == ((index - 0x1000) % 50 != 0));
    }

    [Test]
    public void Registers_too_far_apart_are_refused_by_name()
    {
        ImmutableArray<MsrSelection> registers =
            [.. Enumerable.Range(0, 17).Select(number => One(0x1000_0000 + (uint)number * 0x10_0000)), One(0xc000_0080)];
        Action compile = () => new MsrExposurePolicy(MsrExposure.Only, registers).Compile();

        compile.Should().Throw<VmmException>()
            .Where(refusal => refusal.Error == VmmError.ENOSPC && refusal.Message.Contains("0x11000000, IA32_EFER"));
    }

    [Test]
    public void Range_of_the_whole_space_is_refused_in_reasonable_time()
    {
        Action compile = () => Parse("only:0x0-0xffffffff").Compile();

        compile.Should().Throw<VmmException>().Where(refusal => refusal.Error == VmmError.ENOSPC);
    }

    [Test]
    public void Long_range_is_cut()
    {
        MsrFilter filter = Parse("but:0x1000-0xffff").Compile();

        filter.Ranges.Should().HaveCount(5).And.OnlyContain(range => range.Count <= MsrFilter.LongestRange && range.Allowed.Length <= 0x600);
        filter.Allows(new MsrIndex(0xffff), false).Should().BeFalse();
        filter.Allows(new MsrIndex(0x10000), false).Should().BeTrue();
    }

    [Test]
    public void Random_policies_compile_to_what_they_say([Range(1, 60)] int seed)
    {
        Random random = new(seed);
        uint[] bases = [0, 0x400, 0x7f0, 0x8f0, 0x3000, 0x4b564d00, 0xc0000080, 0xc0010000];
        ImmutableArray<MsrSelection> registers =
        [
            .. Enumerable.Range(0, random.Next(40)).Select(_ =>
            {
                uint first = bases[random.Next(bases.Length)] + (uint)random.Next(64);
                return new MsrSelection(new MsrIndex(first), new MsrIndex(first + (uint)random.Next(20)), (MsrDirections)random.Next(1, 4));
            }),
        ];
        MsrExposure exposure = random.Next(2) == 0 ? MsrExposure.Only : MsrExposure.AllBut;

        MsrFilter filter = new MsrExposurePolicy(exposure, registers).Compile();

        filter.Ranges.Length.Should().BeLessThanOrEqualTo(MsrFilter.MostRanges);
        foreach (uint index in bases.SelectMany(first => Enumerable.Range(-2, 100).Select(offset => first + (uint)offset)).Where(index => index is < 0x800 or > 0x8ff))
        {
            foreach (bool isWrite in (bool[])[false, true])
            {
                bool isListed = registers.Any(selection => index >= selection.First.Value && index <= selection.Last.Value
                    && (selection.Directions & (isWrite ? MsrDirections.Write : MsrDirections.Read)) != 0);
                filter.Allows(new MsrIndex(index), isWrite).Should().Be(isListed == (exposure == MsrExposure.Only), $"of 0x{index:x}");
            }
        }
    }

    [TestCase("all")]
    [TestCase("only:IA32_TSC,IA32_PAT:r")]
    [TestCase("but:IA32_MC0_CTL-IA32_MC3_MISC:w")]
    public void Policy_is_written_as_it_is_read(string text) => Parse(text).ToString().Should().Be(text);

    [TestCase("none", "is not all, only:LIST or but:LIST")]
    [TestCase("only:", "no register is called ''")]
    [TestCase("only:IA32_PTA", "did you mean 'IA32_PAT'?")]
    [TestCase("but:0x20-0x10", "ends before it begins")]
    [TestCase("but:0x20:x", "alone or with :r or :w")]
    public void Text_that_is_no_policy_is_refused(string text, string problem)
    {
        MsrExposurePolicy.TryParse(text, out MsrExposurePolicy? policy, out string? found).Should().BeFalse();

        policy.Should().BeNull();
        found.Should().Contain(problem);
    }

    private static MsrSelection One(uint index) => new(new MsrIndex(index), new MsrIndex(index));

    private static MsrExposurePolicy Parse(string text)
    {
        MsrExposurePolicy.TryParse(text, out MsrExposurePolicy? policy, out string? problem).Should().BeTrue(problem);
        return policy!;
    }
}
