// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Iced.Intel;

namespace Vmm.Machine.Diagnostics;

/// <summary>An instruction for a report: where, its bytes, and what they mean.</summary>
/// <param name="Address">The instruction's address as its segment counts it.</param>
/// <param name="Bytes">The bytes known from there on, 1 to 15; more than the instruction's own.</param>
/// <param name="Length">How many of them are the instruction's; 0 when they are not an instruction.</param>
/// <param name="Text">The instruction in Intel syntax.</param>
/// <param name="Mnemonic">Its mnemonic in lower case, with its repeat prefix left out.</param>
/// <param name="Feature">
/// The processor feature that it belongs to, by its name in <see cref="Vmm.Emulation.Cpuid.CpuFeatures"/>; null for the base
/// instruction set and for features without a CPUID bit of their own.
/// </param>
public sealed record InstructionReport(
    ulong Address, ImmutableArray<byte> Bytes, int Length, string Text, string Mnemonic, string? Feature)
{
    private const int MostBytes = 15;

    /// <summary>Decodes the first instruction of some bytes.</summary>
    /// <param name="bytes">The bytes; those after the fifteenth are ignored.</param>
    /// <param name="address">Their address.</param>
    /// <param name="bitness">16, 32 or 64.</param>
    /// <returns>The instruction, or null when there are no bytes.</returns>
    public static InstructionReport? Decode(ReadOnlySpan<byte> bytes, ulong address, int bitness)
    {
        if (bytes.IsEmpty)
        {
            return null;
        }

        byte[] copy = bytes[..Math.Min(bytes.Length, MostBytes)].ToArray();
        Decoder decoder = Decoder.Create(bitness, new ByteArrayCodeReader(copy), address);
        decoder.Decode(out Instruction instruction);
        ImmutableArray<byte> kept = [.. copy];
        if (instruction.IsInvalid)
        {
            return new InstructionReport(address, kept, 0, "(not an instruction)", "(bad)", null);
        }

        StringOutput output = new();
        NasmFormatter formatter = new();
        formatter.Format(instruction, output);
        return new InstructionReport(
            address,
            kept,
            instruction.Length,
            output.ToStringAndReset(),
            instruction.Mnemonic.ToString().ToLowerInvariant(),
            FeatureOf(instruction));
    }

    private static string? FeatureOf(in Instruction instruction)
    {
        foreach (Iced.Intel.CpuidFeature feature in instruction.CpuidFeatures)
        {
            if (InstructionFeatures.NameOf(feature) is { } name)
            {
                return name;
            }
        }

        return null;
    }
}
