// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Benchmarks;

/// <summary>Measures two sides in turn, so that a machine whose speed drifts favours neither.</summary>
internal static class Pairs
{
    /// <summary>Runs the pairs after one uncounted pair, and prints medians and the median of the ratios.</summary>
    /// <param name="name">What is measured.</param>
    /// <param name="unit">The unit of both figures.</param>
    /// <param name="pairs">How many pairs.</param>
    /// <param name="bar">The highest ratio that is good enough.</param>
    /// <param name="ours">Measures this engine.</param>
    /// <param name="baseline">Measures the baseline.</param>
    /// <param name="remark">What to print behind the row.</param>
    public static void Measure(
        string name, string unit, int pairs, double bar, Func<double> ours, Func<double> baseline, Func<string>? remark = null)
    {
        ours();
        baseline();
        double[] left = new double[pairs];
        double[] right = new double[pairs];
        double[] ratios = new double[pairs];
        for (int i = 0; i < pairs; i++)
        {
            left[i] = ours();
            right[i] = baseline();
            ratios[i] = left[i] / right[i];
        }

        string verdict = Median(ratios) <= bar ? "met" : "MISSED";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-44} {Median(left),10:0.0} {Median(right),10:0.0} {unit,-3} {Median(ratios),6:0.000} (min {ratios.Min():0.000}, max {ratios.Max():0.000})  bar {bar:0.00} {verdict}  {remark?.Invoke()}"));
    }

    /// <summary>The middle value.</summary>
    public static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
