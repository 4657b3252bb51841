// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text.RegularExpressions;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

internal sealed class HostTestTableTests
{
    private const string Document = "docs/conformance.md";

    [Test]
    public void Every_test_named_exists() =>
        HostTestTable.Read().SelectMany(row => row.Ours).Where(name => !HostTestTable.IsTest(name)).Should().BeEmpty();

    [Test]
    public void What_has_no_test_has_a_reason() =>
        HostTestTable.Read().Where(row => row.Ours.Count == 0 && row.Reason.Length < 20).Should().BeEmpty();

    [Test]
    public void The_document_is_current_and_every_row_has_passed()
    {
        Dictionary<string, string> results = HostTestTable.ReadResults(File.ReadAllText(RepositoryFiles.PathOf(Document)));

        RepositoryFiles.ShouldBeCurrent(Document, HostTestTable.ToMarkdown(results));
        HostTestTable.Read().Where(row => row.Ours.Count > 0).Select(row => results.GetValueOrDefault(row.Theirs, HostTestTable.NotRun))
            .Should().AllSatisfy(result => result.Should().MatchRegex("^[1-9][0-9]* pass(, [0-9]+ skipped)?$"));
    }

    /// <summary>Minutes: a run of its own for each row. Writes the results on demand.</summary>
    [Test]
    [Explicit("minutes")]
    [Category("Long")]
    public void Every_row_is_run_and_passes()
    {
        Dictionary<string, string> results = [];
        using EmptiedCopy copy = new();
        foreach (HostTestTable.Row row in HostTestTable.Read().Where(row => row.Ours.Count > 0))
        {
            string? end = copy.Run([], HostTestTable.FilterOf(row));
            int passed = Count(copy.Output, "succeeded");
            int skipped = Count(copy.Output, "skipped");
            results[row.Theirs] = end ?? (skipped == 0 ? $"{passed} pass" : $"{passed} pass, {skipped} skipped");
        }

        if (RepositoryFiles.MayUpdate)
        {
            File.WriteAllText(RepositoryFiles.PathOf(Document), HostTestTable.ToMarkdown(results));
        }

        results.Should().NotContain(result => !result.Value.Contains("pass", StringComparison.Ordinal) || result.Value.StartsWith('0'));
    }

    private static int Count(string output, string what)
    {
        Match found = Regex.Match(output, $"^ *{what}: ([0-9]+)", RegexOptions.Multiline);
        return found.Success ? int.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
    }
}
