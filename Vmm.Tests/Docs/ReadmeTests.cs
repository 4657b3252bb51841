// SPDX-License-Identifier: BSD-2-Clause

using System.Text.RegularExpressions;
using Vmm.Tests.Support;

namespace Vmm.Tests.Docs;

/// <summary>What the README shows is what this repository does.</summary>
public sealed partial class ReadmeTests
{
    private const string ExampleFile = "Vmm.Tests/Docs/ReadmeExample.cs";
    private const int ExampleIndent = 8;
    private const int MostExampleLines = 20;

    [Test]
    public void Example_is_the_one_that_is_compiled()
    {
        string[] source = File.ReadAllLines(RepositoryFiles.PathOf(ExampleFile));
        IEnumerable<string> usings = source.Where(line => line.StartsWith("using ", StringComparison.Ordinal));

        CodeBlock("csharp").Should().Equal([.. usings, "", .. ExampleBody(source)]);
    }

    [Test]
    public void Example_has_twenty_lines_of_code()
    {
        ExampleBody(File.ReadAllLines(RepositoryFiles.PathOf(ExampleFile)))
            .Count(line => line.Length != 0)
            .Should().BeLessThanOrEqualTo(MostExampleLines);
    }

    [Test]
    [Category("Kvm")]
    public void Example_multiplies()
    {
        KvmRequirement.Open().Dispose();

        ReadmeExample.Run().Should().Be(42);
    }

    [Test]
    public void Test_command_is_the_one_that_the_build_server_runs()
    {
        const string Command = "dotnet test";

        CodeBlock("sh").Should().Contain(Command);
        File.ReadAllText(RepositoryFiles.PathOf(".ci/run")).Should().Contain($"step tests 600 {Command} --report-trx");
    }

    [TestCase("README.md")]
    [TestCase("ARCHITECTURE.md")]
    [TestCase("CONTRIBUTING.md")]
    [TestCase("CHANGELOG.md")]
    [TestCase("docker/README.md")]
    [TestCase("docs/ci.md")]
    [TestCase("docs/decisions/README.md")]
    public void Links_to_files_lead_somewhere(string document)
    {
        string folder = Path.GetDirectoryName(RepositoryFiles.PathOf(document))!;
        string[] missing = [.. LinkPattern()
            .Matches(File.ReadAllText(RepositoryFiles.PathOf(document)))
            .Select(match => match.Groups[1].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !Path.Exists(Path.Combine(folder, target)))];

        missing.Should().BeEmpty();
    }

    private static IEnumerable<string> ExampleBody(string[] source) =>
        source
            .SkipWhile(line => !line.Contains("// <readme>", StringComparison.Ordinal))
            .Skip(1)
            .TakeWhile(line => !line.Contains("// </readme>", StringComparison.Ordinal))
            .Select(line => line.Length == 0 ? "" : line[ExampleIndent..]);

    /// <summary>The lines of the README's first code block in a language.</summary>
    private static IEnumerable<string> CodeBlock(string language) =>
        File.ReadLines(RepositoryFiles.PathOf("README.md"))
            .SkipWhile(line => line != $"```{language}")
            .Skip(1)
            .TakeWhile(line => line != "```");

    [GeneratedRegex(@"\]\(([^)#]+)[^)]*\)")]
    private static partial Regex LinkPattern();
}
