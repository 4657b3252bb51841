// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Text;
using Vmm.Tests.Support;

namespace Vmm.Tests.Proofs;

/// <summary>Every function of the header has a test that fails when its body is emptied.</summary>
internal sealed class EmptiedBodyTests
{
    private const string Document = "docs/vmm-kernel-proofs.md";

    [Test]
    public void Every_function_has_a_body_and_a_test()
    {
        IEnumerable<HeaderFunction> unproven = HeaderFunction.All().Where(function => function.Bodies.Count == 0 || function.Tests.Count == 0);

        unproven.Select(function => function.Name).Should().BeEmpty();
    }

    [Test]
    public void What_tests_prove_are_functions_of_the_header() =>
        HeaderFunction.Proofs().Select(pair => pair.Symbol).Except(HeaderFunction.All().Select(function => function.Name)).Should().BeEmpty();

    [Test]
    public void Committed_result_is_of_these_bodies_and_tests()
    {
        string[] committed = [.. File.ReadLines(RepositoryFiles.PathOf(Document)).Where(line => line.StartsWith("| `", StringComparison.Ordinal))];

        committed.Should().NotContain(line => line.EndsWith("passes |", StringComparison.Ordinal));
        committed.Select(line => line[..line.TrimEnd('|', ' ').LastIndexOf('|')])
            .Should().Equal(Pairs().Select(pair => Row(pair.Function, pair.Test, "x")).Select(line => line[..line.TrimEnd('|', ' ').LastIndexOf('|')]));
    }

    [Test]
    public void Test_notices_the_emptied_body_and_passes_otherwise()
    {
        HeaderFunction function = HeaderFunction.All().Single(function => function.Name == "vm_set_topology");
        using EmptiedCopy copy = new();

        copy.Run(function.Bodies, Filter(function.Tests[0])).Should().Be("fails");
        copy.Run([], Filter(function.Tests[0])).Should().BeNull();
    }

    /// <summary>Several minutes: a run of its own for each function and test. Writes the document on demand.</summary>
    [Test]
    [Explicit("several minutes")]
    [Category("Long")]
    public void Every_test_fails_without_the_body_that_it_proves()
    {
        StringBuilder rows = new();
        List<string> unnoticed = [];
        using EmptiedCopy copy = new();
        foreach ((HeaderFunction function, string test) in Pairs())
        {
            string? end = copy.Run(function.Bodies, Filter(test));
            rows.Append(Row(function, test, end ?? "passes")).Append('\n');
            TestContext.Progress.WriteLine($"{function.Name}: {test}: {end ?? "passes"}");
            if (end is null)
            {
                unnoticed.Add($"{function.Name}: {test}");
            }
        }

        if (RepositoryFiles.MayUpdate)
        {
            File.WriteAllText(RepositoryFiles.PathOf(Document), $"{Introduction}{rows}");
        }

        unnoticed.Should().BeEmpty();
    }

    private const string Introduction =
        """
        # What fails without each function's body

        Each body that carries out a function of `vmm_kernel.h` was emptied, one function at a time, in a copy of the built assemblies, so
        that it does nothing and returns its type's default; then the test that names the function in `[Proves]` ran on that copy. This is
        how it ended: the test failed, or waited for what never came. Made by

        ```sh
        VMM_UPDATE_GENERATED=1 dotnet test --filter "FullyQualifiedName~Every_test_fails_without_the_body"
        ```

        A test compares functions, bodies and tests with what there is now.

        | function | emptied | test | ended |
        |---|---|---|---|

        """;

    private static IEnumerable<(HeaderFunction Function, string Test)> Pairs() =>
        HeaderFunction.All().SelectMany(function => function.Tests.Select(test => (function, test)));

    private static string Row(HeaderFunction function, string test, string end) =>
        $"| `{function.Name}` | {string.Join(", ", function.Bodies.Select(body => $"`{NameOf(body)}`").Distinct().Order(StringComparer.Ordinal))} | `{test["Vmm.Tests.".Length..]}` | {end} |";

    /// <summary>Type and method, without the interface in front of a method that implements it alone.</summary>
    private static string NameOf(MethodInfo body) => $"{body.DeclaringType!.Name}.{body.Name.Split('.')[^1]}";

    private static string Filter(string test) => $"FullyQualifiedName~{test}";
}
