// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>What no oracle shows, from files in the order of the manual's chapters.</summary>
public sealed class ExecutionCaseTests
{
    private static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "Data", "execution");

    public static IEnumerable<TestCaseData> Cases() =>
        Directory.GetFiles(s_folder, "*.txt").Order(StringComparer.Ordinal).SelectMany(ExecutionCase.Read)
            .Select(static (execution, index) => new TestCaseData(execution).SetName($"Case_{index + 1}_{execution.ToString().Replace('.', '_')}"));

    [TestCaseSource(nameof(Cases))]
    public void Code_does_what_the_manual_says(object execution) => ((ExecutionCase)execution).Run().Should().BeNull();

    [Test]
    public void There_are_at_least_200_cases() => Cases().Count().Should().BeGreaterThanOrEqualTo(200);
}
