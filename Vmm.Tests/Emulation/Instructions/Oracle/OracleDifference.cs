// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>The first thing that is not equal where the executor and KVM ended.</summary>
/// <param name="Aspect">What it is.</param>
/// <param name="Text">Both values.</param>
internal readonly record struct OracleDifference(OracleAspect Aspect, string Text);
