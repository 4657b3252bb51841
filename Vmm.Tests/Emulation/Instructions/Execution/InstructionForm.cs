// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>One of Iced's codes: an instruction form with its operand size, and an encoding of it.</summary>
/// <param name="Code">Iced's code.</param>
/// <param name="Operation">Our operation.</param>
/// <param name="CodeSize">The mode that the sample is in.</param>
/// <param name="Sample">A window of 15 bytes that begins with one instruction of this form.</param>
/// <param name="Length">The instruction's length.</param>
internal sealed record InstructionForm(Iced.Intel.Code Code, Operation Operation, CodeSize CodeSize, byte[] Sample, int Length)
{
    private static readonly Dictionary<Iced.Intel.Code, string> s_names = Enum.GetValues<Iced.Intel.Code>().Distinct().ToDictionary(static c => c, static c => c.ToString());

    internal string Name => s_names[Code];

    public override string ToString() => Name;
}
