// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Text;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>illumos' own host tests and which tests here check the same.</summary>
internal static class HostTestTable
{
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

    /// <summary>The document.</summary>
    /// <returns>Its text.</returns>
    public static string ToMarkdown()
    {
        StringBuilder text = new(
            """
            # Conformance

            Generated from `Vmm.Tests/Data/conformance.tsv` and checked by a test: every test named here exists and is not switched off.

            ## The contract's suite

            `Vmm.Tests/Conformance` has one abstract fixture for each part of the contract. A backend is tested by deriving from them and giving
            an `IHypervisorBackend`.

            | fixture | what it checks | runs on |
            |---|---|---|
            | `StateConformance` | lifecycle, memory and a vCPU's state, without executing anything | the scripted backend, and all below |
            | `ExecutionConformance` | what small guests show | KVM with kernel and split interrupt controllers, and all below |
            | `UserspaceConformance` | delivery and start-up by the engine | KVM without interrupt controllers, the processor in software |

            ## illumos' host tests

            What illumos tests its kernel with (`usr/src/test/bhyve-tests`), by name, and what checks the same here. Their tests were not
            copied; guests, values and limits are ours. A test that needs `/dev/kvm` passes where there is one.

            | theirs | checks | ours | result |
            |---|---|---|---|

            """);
        foreach (Row row in Read())
        {
            string ours = string.Join(", ", row.Ours.Select(name => $"`{name}`"));
            text.Append($"| {row.Theirs} | {row.Checks} | {ours} | {(row.Reason.Length > 0 ? row.Reason : "passes")} |\n");
        }

        return text.ToString();
    }

    private static bool IsTest(MethodInfo method) =>
        method.GetCustomAttribute<ExplicitAttribute>() is null && method.GetCustomAttribute<IgnoreAttribute>() is null
        && method.GetCustomAttributes().Any(attribute => attribute is TestAttribute or TestCaseAttribute or TestCaseSourceAttribute);
}
