// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Text;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>illumos' own host tests and which tests here check the same.</summary>
internal static class HostTestTable
{
    /// <summary>What a row says that was added since the last run.</summary>
    public const string NotRun = "not run yet";

    private static readonly (string Fixture, string Checks)[] s_suite =
    [
        ("StateConformance", "lifecycle, memory and a vCPU's state, without executing anything"),
        ("DataConformance", "state by class"),
        ("ExecutionConformance", "what small guests show"),
        ("UserspaceConformance", "delivery and start-up by the engine"),
        ("NotificationConformance", "doorbells and coalesced ranges"),
        ("TripleFaultConformance", "what is told of a triple fault"),
        ("VcpuPendingConformance", "pending accesses of a backend's vCPU: answered, completed, discarded"),
    ];

    /// <summary>One of their tests.</summary>
    /// <param name="Theirs">Directory and name.</param>
    /// <param name="Checks">What it checks.</param>
    /// <param name="Ours">Our tests without the name space in front; a fixture's whole is written with a star.</param>
    /// <param name="Reason">Why there are none; empty when there are.</param>
    internal sealed record Row(string Theirs, string Checks, IReadOnlyList<string> Ours, string Reason);

    /// <summary>The rows.</summary>
    /// <returns>In their order.</returns>
    public static IReadOnlyList<Row> Read() =>
    [
        .. File.ReadLines(RepositoryFiles.PathOf("Vmm.Tests/Data/conformance.tsv"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split('\t'))
            .Select(columns => columns[2].StartsWith("- ", StringComparison.Ordinal)
                ? new Row(columns[0], columns[1], [], columns[2][2..])
                : new Row(columns[0], columns[1], columns[2].Split(", "), "")),
    ];

    /// <summary>Whether a name is that of a fixture with tests, or of a test.</summary>
    /// <param name="name">Such as <c>Engine.EventTests.Second_exception_is_EBUSY</c> or <c>Engine.EventTests.*</c>.</param>
    /// <returns>Whether there is one.</returns>
    public static bool IsTest(string name)
    {
        int end = name.LastIndexOf('.');
        Type? fixture = typeof(HostTestTable).Assembly.GetType($"Vmm.Tests.{name[..end]}");
        return fixture is { IsAbstract: false } && fixture.GetMethods().Any(method => IsTest(method) && (name[(end + 1)..] == "*" || method.Name == name[(end + 1)..]));
    }

    /// <summary>What the runner's filter for a row is.</summary>
    /// <param name="row">The row.</param>
    /// <returns>The filter: fixture and test apart, because the arguments of a fixture stand between them.</returns>
    public static string FilterOf(Row row) => string.Join('|', row.Ours.Select(name =>
    {
        int end = name.LastIndexOf('.');
        string test = name[(end + 1)..];
        string fixture = $"FullyQualifiedName~Vmm.Tests.{name[..end]}";
        return test == "*" ? fixture : $"({fixture}&FullyQualifiedName~.{test})";
    }));

    /// <summary>The results in the document that is committed.</summary>
    /// <param name="document">Its text.</param>
    /// <returns>By their test.</returns>
    public static Dictionary<string, string> ReadResults(string document) => document.Split('\n')
        .Select(line => line.Split(" | "))
        .Where(cells => cells.Length == 4 && cells[0].Contains('/', StringComparison.Ordinal))
        .ToDictionary(cells => cells[0].TrimStart('|', ' '), cells => cells[3].TrimEnd('|', ' '));

    /// <summary>The document.</summary>
    /// <param name="results">How each of their tests ended here.</param>
    /// <returns>Its text.</returns>
    public static string ToMarkdown(IReadOnlyDictionary<string, string> results)
    {
        StringBuilder text = new(
            """
            # Conformance

            Generated from `Vmm.Tests/Data/conformance.tsv` and checked by a test: every test named here exists and is not switched off.

            ## The contract's suite

            `Vmm.Tests/Conformance` has one abstract fixture for each part of the contract. A backend is tested by deriving from them and giving
            an `IHypervisorBackend`.

            | fixture | what it checks | runs as |
            |---|---|---|

            """);
        foreach ((string fixture, string checks) in s_suite)
        {
            text.Append($"| `{fixture}` | {checks} | {string.Join(", ", Concrete(fixture).Select(name => $"`{name}`"))} |\n");
        }

        text.Append(
            """

            ## illumos' host tests

            What illumos tests its kernel with (`usr/src/test/bhyve-tests`), by name, and what checks the same here. Their tests were not
            copied; guests, values and limits are ours. The results are those of the last run of
            `VMM_UPDATE_GENERATED=1 dotnet test --filter "FullyQualifiedName~Every_row_is_run_and_passes"`, cases of each row together.
            Rates against the host's clock are measured by `Kvm.Chips.TimerRateTests`, which take minutes and run when they are asked for.

            | theirs | checks | ours | result |
            |---|---|---|---|

            """);
        foreach (Row row in Read())
        {
            string ours = string.Join(", ", row.Ours.Select(name => $"`{name}`"));
            text.Append($"| {row.Theirs} | {row.Checks} | {ours} | {(row.Reason.Length > 0 ? row.Reason : results.GetValueOrDefault(row.Theirs, NotRun))} |\n");
        }

        return text.ToString();
    }

    /// <summary>The fixtures that derive from one.</summary>
    private static IEnumerable<string> Concrete(string fixture)
    {
        Type root = typeof(HostTestTable).Assembly.GetTypes().Single(type => type.Name == fixture);
        return
        [
            .. typeof(HostTestTable).Assembly.GetTypes().Where(type => !type.IsAbstract && type.IsAssignableTo(root))
                .Select(NameOf).Order(StringComparer.Ordinal),
        ];

        static string NameOf(Type type)
        {
            object?[][] arguments = [.. type.GetCustomAttributes<TestFixtureAttribute>().Select(found => found.Arguments).Where(found => found.Length > 0)];
            string modes = string.Join(", ", arguments.Select(found => string.Join(' ', found)));
            return modes.Length == 0 ? type.Name : $"{type.Name} ({modes})";
        }
    }

    private static bool IsTest(MethodInfo method) =>
        method.GetCustomAttribute<ExplicitAttribute>() is null && method.GetCustomAttribute<IgnoreAttribute>() is null
        && method.GetCustomAttributes().Any(attribute => attribute is TestAttribute or TestCaseAttribute or TestCaseSourceAttribute);
}
