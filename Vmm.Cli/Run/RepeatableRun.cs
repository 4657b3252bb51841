// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Cli.Terminal;
using Vmm.Emulation.Timers;
using Vmm.Machine.Board;
using Vmm.Machine.Replay;
using Vmm.Software;

namespace Vmm.Cli.Run;

/// <summary>A run that can be repeated: time that instructions make, random bits from a seed, recorded input, and hashes of the state.</summary>
internal sealed class RepeatableRun : IDisposable
{
    private const string SeedName = "--deterministic";
    private const string HashName = "--hash-every";
    private const string RecordName = "--record";
    private const string ReplayName = "--replay";

    private readonly InputRecording? _recording;
    private readonly StreamWriter? _file;
    private InputPlayer? _player;
    private PcMachine? _machine;

    /// <summary>Prepares one.</summary>
    /// <param name="settings">What is asked for.</param>
    /// <param name="writer">Where hashes are written.</param>
    /// <exception cref="UsageException">The recording is none, or is that of another run.</exception>
    /// <exception cref="IOException">A file cannot be opened.</exception>
    public RepeatableRun(RepeatableSettings settings, TextWriter writer)
    {
        _recording = settings.Replay is { } recorded ? Read(recorded) : null;
        ulong seed = settings.Seed ?? _recording?.Seed ?? 1;
        if (_recording is not null && seed != _recording.Seed)
        {
            throw new UsageException($"{ReplayName}: {settings.Replay} was recorded with seed {_recording.Seed}, not {seed}");
        }

        if (settings.Record is { } path)
        {
            _file = new StreamWriter(path) { AutoFlush = true };
            _file.Write(InputRecording.FormatHead(seed));
        }

        Time = new InstructionTime(Clock, seed)
        {
            CheckpointInterval = settings.HashEvery,
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
    public static RepeatableOptions CreateOptions() => new(
        new Option<string?>(SeedName)
        {
            HelpName = "SEED",
            Arity = ArgumentArity.ZeroOrOne,
            Description = "Makes the run one that can be repeated bit for bit: on the software backend, with one processor.",
        },
        new Option<string?>(HashName)
        {
            HelpName = "N",
            Description = "With --deterministic: writes a hash of memory and registers after every N instructions.",
        },
        new Option<string?>(RecordName)
        {
            HelpName = "FILE",
            Description = "With --deterministic: writes what is typed, and when it reached the guest, to a file.",
        },
        new Option<string?>(ReplayName)
        {
            HelpName = "FILE",
            Description = "Repeats a recorded run: its seed and its input, from a file that --record has written.",
        });

    /// <summary>Reads the options' texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <returns>What is asked for; null for a run like any other.</returns>
    /// <exception cref="UsageException">They do not mean anything.</exception>
    public static RepeatableSettings? Parse(RunTexts texts)
    {
        bool isAsked = texts.IsDeterministic || texts.Replay is not null;
        if (!isAsked)
        {
            string? lonely = texts.HashEvery is not null ? HashName : texts.Record is not null ? RecordName : null;
            return lonely is null ? null : throw new UsageException($"{lonely} goes with {SeedName}");
        }

        ulong seed = 0;
        if (texts.Seed is not null && !ulong.TryParse(texts.Seed, out seed))
        {
            throw new UsageException($"{SeedName}: '{texts.Seed}' is not a whole number");
        }

        long interval = 0;
        if (texts.HashEvery is not null && (!long.TryParse(texts.HashEvery, out interval) || interval < 1))
        {
            throw new UsageException($"{HashName}: '{texts.HashEvery}' is not a number of instructions");
        }

        return texts.Record is not null && texts.Replay is not null
            ? throw new UsageException($"{RecordName} and {ReplayName}: a replay takes no input that could be recorded")
            : new RepeatableSettings(texts.Seed is null ? null : seed, interval, texts.Record, texts.Replay);
    }

    /// <summary>Tells whose state the hashes are, and takes over the console's input where it is recorded or replayed.</summary>
    public void Watch(PcMachine machine, ConsoleInput input)
    {
        _machine = machine;
        if (_recording is not null)
        {
            _player = new InputPlayer(Clock, machine.Serial, _recording);
            input.Redirect(typed => typed.Length);
        }
        else if (_file is not null)
        {
            InputRecorder recorder = new(Clock, machine.Serial, typed => _file.Write(InputRecording.Format(typed)), input.OnRoom);
            input.Redirect(recorder.Queue);
        }
    }

    /// <summary>Describes what was run, for comparison with another run, and says whether a replay was what was recorded.</summary>
    /// <param name="isStopped">Whether the run did not come to its end by itself.</param>
    public string Describe(bool isStopped)
    {
        string state = $"{Time.Instructions} instructions, state {_machine?.ComputeHash()}";
        if (!isStopped)
        {
            _file?.Write(InputRecording.FormatEnd(state));
        }

        string verdict = _recording?.End is not { } then ? ""
            : then == state && !_player!.HasDiverged ? "\nvmm: the run is the recorded one"
            : $"\nvmm: the run is NOT the recorded one: {then}";
        return $"vmm: seed {Time.Seed}, {state}{verdict}";
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private static InputRecording Read(string path)
    {
        using StreamReader reader = new(path);
        try
        {
            return InputRecording.Parse(reader);
        }
        catch (FormatException problem)
        {
            throw new UsageException($"{ReplayName}: {path} is not a recording: {problem.Message}");
        }
    }
}
