// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Benchmarks.Tcg;

/// <summary>A loop of <see cref="LoopGuest"/>.</summary>
/// <param name="Marker">What the guest writes before each pass.</param>
/// <param name="Name">What it is about.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Count">How many of those one pass has, by construction.</param>
internal readonly record struct GuestLoop(char Marker, string Name, string Unit, double Count);
