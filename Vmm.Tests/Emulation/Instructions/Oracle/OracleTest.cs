// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics.X86;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Runs the forms of a mode and says what came out.</summary>
internal static class OracleTest
{
    private const int MostDifferences = 200;

    /// <summary>The seed of long runs: VMM_ORACLE_SEED, or 0.</summary>
    internal static int LongSeed { get; } = int.Parse(Environment.GetEnvironmentVariable("VMM_ORACLE_SEED") ?? "0", CultureInfo.InvariantCulture);

    /// <param name="mode">The state of the CPU.</param>
    /// <param name="forms">The forms.</param>
    /// <param name="states">How many states of each.</param>
    /// <param name="seed">Where the numbers that scenarios are drawn from start.</param>
    internal static void Run(OracleMode mode, IEnumerable<InstructionForm> forms, int states, int seed = 0)
    {
        if (!Avx2.IsSupported || !Bmi2.X64.IsSupported)
        {
            Assert.Ignore("The oracle needs a processor with AVX2 and BMI2.");
        }

        using OracleRun run = new(mode);
        long begin = Stopwatch.GetTimestamp();
        int total = 0;
        List<string> missing = [];
        foreach (InstructionForm form in forms)
        {
            int compared = 0;
            for (int state = 0; state < states && run.Differences.Count < MostDifferences; state++)
            {
                compared += run.Compare(form, seed + total * 1000 + state) ? 1 : 0;
            }

            if (compared == 0)
            {
                missing.Add(form.Name);
            }

            total++;
        }

        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        TestContext.Out.WriteLine(
            $"{mode}: {total} forms, {run.Compared} states compared, {run.Faulted} of them with an exception, {run.NotExecuted} not executed by KVM, "
            + $"{run.Endless} endless; {run.Compared / seconds:F0} a second");
        foreach ((string reason, int count) in run.Explained)
        {
            TestContext.Out.WriteLine($"{count} times {reason}");
        }

        TestContext.Out.WriteLine($"Never compared: {string.Join(", ", missing)}");
        run.Differences.ForEach(TestContext.Out.WriteLine);
        run.Differences.Count.Should().Be(0, "both sides must end alike; the differences are in the test's output");
    }
}
