// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli.Run;

/// <summary>The options of runs that can be repeated.</summary>
/// <param name="Seed"><c>--deterministic</c>.</param>
/// <param name="HashEvery"><c>--hash-every</c>.</param>
/// <param name="Record"><c>--record</c>.</param>
/// <param name="Replay"><c>--replay</c>.</param>
internal sealed record RepeatableOptions(
    Option<string?> Seed, Option<string?> HashEvery, Option<string?> Record, Option<string?> Replay);
