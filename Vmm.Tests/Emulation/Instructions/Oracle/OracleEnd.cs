// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>How a scenario ended that is not equal on both sides.</summary>
/// <param name="Instruction">The instruction.</param>
/// <param name="Mode">The state of the CPU.</param>
/// <param name="StackPointer">RSP before it.</param>
/// <param name="StackAfter">RSP of the executor behind it.</param>
/// <param name="Ours">Where the executor ended.</param>
/// <param name="Theirs">Where KVM ended.</param>
internal readonly record struct OracleEnd(Instruction Instruction, OracleMode Mode, ulong StackPointer, ulong StackAfter, ulong Ours, ulong Theirs)
{
    /// <summary>The vector whose handler a side ended in, or -1.</summary>
    internal static int Vector(ulong rip) =>
        rip is >= OracleLayout.Handlers and < OracleLayout.Handlers + 32 * 16 ? (int)(rip - OracleLayout.Handlers) >> 4 : -1;
}
