// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>A random program that fails is shown as the few steps that it takes.</summary>
[TestFixture]
internal sealed class ProgramsTests
{
    [Test]
    public void Failing_program_is_shrunk_to_the_steps_that_it_takes()
    {
        Action check = () => Programs.Check(1, 500, static random => random.Next(20), Fails);

        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            check.Should().Throw<AssertionException>().Which.Message.Should().EndWith(
                $"seed 1: 7, then 3, then 11{Environment.NewLine}7{Environment.NewLine}3{Environment.NewLine}11");
        }
    }

    [Test]
    public void Program_that_agrees_is_not_shown() => Programs.Check(1, 500, static random => random.Next(20), static _ => null);

    private static string? Fails(IReadOnlyList<int> program)
    {
        int[] wanted = [7, 3, 11];
        int found = 0;
        foreach (int step in program)
        {
            found += found < wanted.Length && step == wanted[found] ? 1 : 0;
        }

        return found == wanted.Length ? "7, then 3, then 11" : null;
    }
}
