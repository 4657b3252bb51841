// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

public sealed class CpuModelTests
{
    private const uint Cx16 = 1 << 13;
    private const uint Popcnt = 1 << 23;

    private static readonly CpuidEntry[] s_supported =
    [
        new(0, 0, MatchIndex: false, 1, 0, 0, 0),
        new(1, 0, MatchIndex: false, 0, 0, Cx16 | Popcnt, 0),
    ];

    [Test]
    public void Host_changes_nothing()
    {
        CpuidEntry[] entries = [.. s_supported];

        CpuModel.Host.Apply(entries, s_supported);

        entries.Should().Equal(s_supported);
    }

    [Test]
    public void Minus_clears_one_bit()
    {
        CpuidEntry[] entries = [.. s_supported];

        Parse("host,-cx16").Apply(entries, s_supported);

        entries[1].Ecx.Should().Be(Popcnt);
        entries[0].Should().Be(s_supported[0]);
    }

    [Test]
    public void Later_change_wins()
    {
        CpuidEntry[] entries = [.. s_supported];

        Parse("host,-cx16,-popcnt,+cx16").Apply(entries, s_supported);

        entries[1].Ecx.Should().Be(Cx16);
    }

    [Test]
    public void Feature_that_the_host_lacks_cannot_be_added()
    {
        CpuidEntry[] entries = [.. s_supported];

        Action apply = () => Parse("host,-cx16,+avx").Apply(entries, s_supported);

        apply.Should().Throw<VmmException>().Where(e => e.Error == VmmError.ENOTSUP && e.Message.Contains("'avx'"));
        entries.Should().Equal(s_supported);
    }

    [Test]
    public void Model_is_written_as_it_is_read() => Parse("host,-cx16,+popcnt").ToString().Should().Be("host,-cx16,+popcnt");

    [TestCase("", "begins with 'host'")]
    [TestCase("qemu64", "not with 'qemu64'")]
    [TestCase("host,cx16", "'cx16' is not a feature with a sign")]
    [TestCase("host,", "'' is not a feature")]
    [TestCase("host,-", "'-' is not a feature")]
    [TestCase("host,-cx61", "did you mean 'cx16'?")]
    public void Text_that_is_no_model_is_refused(string text, string problem)
    {
        CpuModel.TryParse(text, out CpuModel? model, out string? found).Should().BeFalse();

        model.Should().BeNull();
        found.Should().Contain(problem);
    }

    private static CpuModel Parse(string text)
    {
        CpuModel.TryParse(text, out CpuModel? model, out string? problem).Should().BeTrue(problem);
        return model!;
    }
}
