// SPDX-License-Identifier: BSD-2-Clause

using System.Text.RegularExpressions;
using Vmm.Tests.Support;

namespace Vmm.Tests.Abstractions;

/// <summary>Nothing of the header is forgotten: each name is mirrored, or left out with a reason.</summary>
internal sealed partial class VmmKernelSymbolTests
{
    private const int MostOmissions = 40;

    [Test]
    public void Every_name_of_the_header_is_mirrored_or_omitted()
    {
        IEnumerable<string> covered = VmmKernelMap.Collect().Keys.Concat(Omissions().Keys);

        VmmKernelSymbols.Names().Keys.Except(covered).Should().BeEmpty();
    }

    [Test]
    public void Nothing_is_mirrored_that_the_header_does_not_have()
    {
        VmmKernelMap.Collect().Keys.Except(VmmKernelSymbols.Names().Keys).Should().BeEmpty();
    }

    [Test]
    public void Omissions_are_names_of_the_header_that_are_not_mirrored()
    {
        Omissions().Keys.Except(VmmKernelSymbols.Names().Keys).Should().BeEmpty();
        Omissions().Keys.Intersect(VmmKernelMap.Collect().Keys).Should().BeEmpty();
    }

    [Test]
    public void Omissions_are_few_and_have_reasons()
    {
        Omissions().Should().HaveCountLessThanOrEqualTo(MostOmissions);
        Omissions().Values.Should().OnlyContain(reason => reason.Length >= 8);
    }

    [Test]
    public void The_header_has_as_many_names_as_it_is_known_to_have()
    {
        VmmKernelSymbols.Names().Should().HaveCount(258);
    }

    [Test]
    public void The_map_document_is_current()
    {
        RepositoryFiles.ShouldBeCurrent("docs/vmm-kernel-map.md", VmmKernelMap.ToMarkdown(VmmKernelSymbols.Names()));
    }

    private static Dictionary<string, string> Omissions() =>
        File.ReadLines(RepositoryFiles.PathOf("docs/vmm-kernel-omissions.md"))
            .Select(line => OmissionRow().Match(line))
            .Where(match => match.Success)
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);

    [GeneratedRegex(@"^\| `([^`]+)` \| (.+) \|$")]
    private static partial Regex OmissionRow();
}
