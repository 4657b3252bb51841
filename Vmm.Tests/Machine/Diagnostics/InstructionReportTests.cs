// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Diagnostics;

namespace Vmm.Tests.Machine.Diagnostics;

public sealed class InstructionReportTests
{
    [TestCase("480fc70f", "cmpxchg16b", "cx16")]
    [TestCase("f0480fc70f", "cmpxchg16b", "cx16")]
    [TestCase("f30fb8c1", "popcnt", "popcnt")]
    [TestCase("0f01ca", "clac", "smap")]
    [TestCase("0fae27", "xsave", "xsave")]
    [TestCase("660f6fc1", "movdqa", null)]
    [TestCase("f4", "hlt", null)]
    public void Instruction_is_named_with_its_feature(string bytes, string mnemonic, string? feature)
    {
        InstructionReport report = InstructionReport.Decode(Convert.FromHexString(bytes), 0x1000, 64)!;

        report.Mnemonic.Should().Be(mnemonic);
        report.Feature.Should().Be(feature);
        report.Length.Should().Be(bytes.Length / 2);
        report.Address.Should().Be(0x1000);
    }

    [Test]
    public void Bytes_behind_the_instruction_are_kept()
    {
        InstructionReport report = InstructionReport.Decode([0xf4, 0x90, 0x90], 0, 16)!;

        report.Length.Should().Be(1);
        report.Bytes.Should().Equal(0xf4, 0x90, 0x90);
    }

    [Test]
    public void Bytes_that_are_no_instruction_are_said_so()
    {
        InstructionReport report = InstructionReport.Decode([0x06], 0, 64)!;

        report.Length.Should().Be(0);
        report.Text.Should().Contain("not an instruction");
    }

    [Test]
    public void No_bytes_give_no_report() => InstructionReport.Decode([], 0, 64).Should().BeNull();
}
