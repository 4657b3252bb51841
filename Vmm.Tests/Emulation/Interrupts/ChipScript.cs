// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>What two machines made of the same script: what the guest logged, and the chips' registers afterwards.</summary>
/// <param name="Log">The guest's log.</param>
/// <param name="Registers">Registers afterwards, by name.</param>
internal sealed record ChipOutcome(uint[] Log, IReadOnlyList<string> Registers);

/// <summary>Steps for a scripted guest, each a few operations that belong together; the first prepares the chips.</summary>
internal static class ChipScript
{
    /// <summary>
    /// Runs a script on KVM's chips and on ours. On a difference the script is cut down to the steps that it takes, which the
    /// failure lists.
    /// </summary>
    /// <param name="steps">The steps.</param>
    /// <param name="registers">The prefix of the names of the registers that must be equal afterwards; empty for all.</param>
    /// <param name="name">What is tested.</param>
    public static void ShouldAgree(IReadOnlyList<ChipOp[]> steps, string registers, string name)
    {
        if (Difference(steps, registers) is null)
        {
            return;
        }

        List<ChipOp[]> minimal = Shrink(steps, registers);
        string listing = string.Join(Environment.NewLine, minimal.Select(step => "  " + string.Join("; ", step)));
        Assert.Fail($"{name}: {Difference(minimal, registers)}{Environment.NewLine}{minimal.Count} steps:{Environment.NewLine}{listing}");
    }

    private static string? Difference(IReadOnlyList<ChipOp[]> steps, string registers)
    {
        ChipOp[] script = [.. steps.SelectMany(step => step)];
        ChipOutcome theirs = KvmChips.Run(script);
        ChipOutcome ours = ModelChips.Run(script);
        int common = Math.Min(theirs.Log.Length, ours.Log.Length);
        for (int index = 0; index < common; index++)
        {
            if (theirs.Log[index] != ours.Log[index])
            {
                return $"log entry {index}: KVM 0x{theirs.Log[index]:x}, ours 0x{ours.Log[index]:x}; KVM's log ends " +
                    Tail(theirs.Log, index) + ", ours " + Tail(ours.Log, index);
            }
        }

        if (theirs.Log.Length != ours.Log.Length)
        {
            return $"KVM's guest logged {theirs.Log.Length} entries, ours {ours.Log.Length}";
        }

        for (int index = 0; index < theirs.Registers.Count; index++)
        {
            if (theirs.Registers[index].StartsWith(registers, StringComparison.Ordinal) && theirs.Registers[index] != ours.Registers[index])
            {
                return $"afterwards KVM has {theirs.Registers[index]}, ours {ours.Registers[index]}";
            }
        }

        return null;
    }

    private static string Tail(uint[] log, int end) =>
        string.Join(' ', log[Math.Max(0, end - 4)..(end + 1)].Select(entry => entry.ToString("x")));

    // Takes away ever smaller pieces as long as a difference remains.
    private static List<ChipOp[]> Shrink(IReadOnlyList<ChipOp[]> steps, string registers)
    {
        List<ChipOp[]> current = [.. steps];
        for (int piece = current.Count / 2; piece >= 1; piece /= 2)
        {
            for (int start = 1; start < current.Count;)
            {
                int length = Math.Min(piece, current.Count - start);
                List<ChipOp[]> shorter = [.. current[..start], .. current[(start + length)..]];
                if (Difference(shorter, registers) is not null)
                {
                    current = shorter;
                }
                else
                {
                    start += length;
                }
            }
        }

        return current;
    }
}
