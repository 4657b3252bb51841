// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>A difference that is understood.</summary>
/// <param name="Reason">Who does what, and whose rule it is.</param>
/// <param name="Applies">Whether an end shows just that.</param>
internal sealed record KnownDifference(string Reason, Predicate<OracleEnd> Applies);
