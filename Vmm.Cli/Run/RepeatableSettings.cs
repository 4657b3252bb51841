// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Run;

/// <summary>What is asked of a run that can be repeated.</summary>
/// <param name="Seed">What random bits follow from; null for 1, or for that of the recording.</param>
/// <param name="HashEvery">After how many instructions the state's hash is written; 0 for only at the end.</param>
/// <param name="Record">The file that the console input is written to, or null.</param>
/// <param name="Replay">The file that the console input comes from, or null.</param>
internal sealed record RepeatableSettings(ulong? Seed, long HashEvery, string? Record, string? Replay);
