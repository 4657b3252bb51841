// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Emulation.Timers;
using Vmm.Machine.Board;
using Vmm.Software;

namespace Vmm.Cli.Run;

/// <summary>A run that can be repeated: time that instructions make, random bits from a seed, and hashes of the state.</summary>
internal sealed class RepeatableRun
{
    private const string SeedName = "--deterministic";
    private const string HashName = "--hash-every";

    private PcMachine? _machine;

    /// <summary>Prepares one.</summary>
    /// <param name="seed">What random bits follow from.</param>
    /// <param name="hashEvery">After how many instructions the state's hash is written; 0 for only at the end.</param>
    /// <param name="writer">Where.</param>
    public RepeatableRun(ulong seed, long hashEvery, TextWriter writer)
    {
        Time = new InstructionTime(Clock, seed)
        {
            CheckpointInterval = hashEvery,
            Checkpoint = instructions => writer.WriteLine($"vmm: after {instructions} instructions: {_machine?.ComputeHash()}"),
        };
    }

    /// <summary>The machine's time.</summary>
    public ManualClock Clock { get; } = new();

    /// <summary>What turns it.</summary>
    public InstructionTime Time { get; }

    /// <summary>What the real-time clock says at the start of every repeatable run.</summary>
    public static DateTimeOffset StartTime => DateTimeOffset.UnixEpoch.AddYears(30);

    /// <summary>Makes the options.</summary>
    public static (Option<string?> Seed, Option<string?> HashEvery) CreateOptions() =>
    (
        new Option<string?>(SeedName)
        {
            HelpName = "SEED",
            Arity = ArgumentArity.ZeroOrOne,
            Description = "Makes the run one that can be repeated bit for bit: on the software backend, with one processor and without input.",
        },
        new Option<string?>(HashName)
        {
            HelpName = "N",
            Description = "With --deterministic: writes a hash of memory and registers after every N instructions.",
        }
    );

    /// <summary>Reads the options' texts.</summary>
    /// <param name="isAsked">Whether the option is there.</param>
    /// <param name="seed">Its text; null without one.</param>
    /// <param name="hashEvery">The other's text; null without it.</param>
    /// <returns>Seed and interval; null without the option.</returns>
    /// <exception cref="UsageException">They do not mean anything.</exception>
    public static (ulong Seed, long HashEvery)? Parse(bool isAsked, string? seed, string? hashEvery)
    {
        if (!isAsked)
        {
            return hashEvery is null ? null : throw new UsageException($"{HashName} goes with {SeedName}");
        }

        ulong number = 1;
        if (seed is not null && !ulong.TryParse(seed, out number))
        {
            throw new UsageException($"{SeedName}: '{seed}' is not a whole number");
        }

        long interval = 0;
        if (hashEvery is not null && (!long.TryParse(hashEvery, out interval) || interval < 1))
        {
            throw new UsageException($"{HashName}: '{hashEvery}' is not a number of instructions");
        }

        return (number, interval);
    }

    /// <summary>Tells whose state the hashes are.</summary>
    public void Watch(PcMachine machine) => _machine = machine;

    /// <summary>Describes what was run, for comparison with another run.</summary>
    public string Describe() => $"vmm: seed {Time.Seed}, {Time.Instructions} instructions, state {_machine?.ComputeHash()}";
}
