// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Cli;

namespace Vmm.Tests.Cli;

public sealed class UnitsTests
{
    [TestCase("4K", 4096ul)]
    [TestCase("512M", 536_870_912ul)]
    [TestCase("2g", 2_147_483_648ul)]
    [TestCase("1T", 1_099_511_627_776ul)]
    public void Size_has_a_unit(string text, ulong bytes) => Units.ParseSize("--memory", text).Should().Be(bytes);

    [TestCase("")]
    [TestCase("M")]
    [TestCase("512")]
    [TestCase("-1M")]
    [TestCase("1.5G")]
    [TestCase("512MB")]
    [TestCase("99999999999T")]
    [TestCase("99999999999999999999999M")]
    public void Text_that_is_no_size_is_refused(string text)
    {
        Action parse = () => Units.ParseSize("--memory", text);

        parse.Should().Throw<UsageException>().WithMessage("--memory: *512M*");
    }

    [TestCase("60s", 60_000)]
    [TestCase("500ms", 500)]
    [TestCase("2m", 120_000)]
    [TestCase("1h", 3_600_000)]
    [TestCase("5", 5000)]
    [TestCase("1.5s", 1500)]
    public void Time_is_in_seconds_unless_said_otherwise(string text, int milliseconds) =>
        Units.ParseTime("--timeout", text).Should().Be(TimeSpan.FromMilliseconds(milliseconds));

    [TestCase("")]
    [TestCase("s")]
    [TestCase("0s")]
    [TestCase("-5s")]
    [TestCase("1e9s")]
    [TestCase("25 h")]
    [TestCase("1000h")]
    [TestCase("NaN")]
    public void Text_that_is_no_time_is_refused(string text)
    {
        Action parse = () => Units.ParseTime("--timeout", text);

        parse.Should().Throw<UsageException>().WithMessage("--timeout: *60s*");
    }
}
