// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>
/// The executor against the processor that runs the tests: random instructions of a family with random registers, flags, vector
/// state and memory; every register, defined flag and byte of memory must come out the same.
/// </summary>
[NonParallelizable]
public sealed class NativeOracleTests
{
    /// <summary>Families: a name and the opcodes that they draw from, in hexadecimal; <c>/d</c> fixes ModRM.reg, <c>s</c> is a string instruction.</summary>
    private static readonly (string Name, string[] Opcodes)[] s_families =
    [
        ("Add", ["00", "01", "02", "03", "04", "05", "80/0", "81/0", "83/0"]),
        ("Or", ["08", "09", "0A", "0B", "0C", "0D", "80/1", "81/1", "83/1"]),
        ("Adc", ["10", "11", "12", "13", "14", "15", "80/2", "81/2", "83/2"]),
        ("Sbb", ["18", "19", "1A", "1B", "1C", "1D", "80/3", "81/3", "83/3"]),
        ("And", ["20", "21", "22", "23", "24", "25", "80/4", "81/4", "83/4"]),
        ("Sub", ["28", "29", "2A", "2B", "2C", "2D", "80/5", "81/5", "83/5"]),
        ("Xor", ["30", "31", "32", "33", "34", "35", "80/6", "81/6", "83/6"]),
        ("Cmp", ["38", "39", "3A", "3B", "3C", "3D", "80/7", "81/7", "83/7"]),
        ("Test", ["84", "85", "A8", "A9", "F6/0", "F7/0"]),
        ("IncDecNegNot", ["FE/0", "FE/1", "FF/0", "FF/1", "F6/2", "F7/2", "F6/3", "F7/3"]),
        ("Multiply", ["F6/4", "F7/4", "F6/5", "F7/5", "69", "6B", "0FAF"]),
        ("Divide", ["F6/6", "F7/6", "F6/7", "F7/7"]),
        ("Rotate", ["C0/0", "C1/0", "D0/0", "D1/0", "D2/0", "D3/0", "C0/1", "C1/1", "D0/1", "D1/1", "D2/1", "D3/1"]),
        ("RotateCarry", ["C0/2", "C1/2", "D0/2", "D1/2", "D2/2", "D3/2", "C0/3", "C1/3", "D0/3", "D1/3", "D2/3", "D3/3"]),
        ("Shift", ["C0/4", "C1/4", "D0/4", "D1/4", "D2/4", "D3/4", "C0/5", "C1/5", "D0/5", "D1/5", "D2/5", "D3/5", "C0/7", "C1/7", "D0/7", "D1/7", "D2/7", "D3/7", "C1/6"]),
        ("DoubleShift", ["0FA4", "0FA5", "0FAC", "0FAD"]),
        ("Move", ["88", "89", "8A", "8B", "C6/0", "C7/0", "B0", "B4", "B8", "BB", "BF", "0FC3"]),
        ("Extend", ["63", "0FB6", "0FB7", "0FBE", "0FBF", "98", "99"]),
        ("Lea", ["8D"]),
        ("Exchange", ["86", "87", "91", "93", "97", "0FC0", "0FC1", "0FB0", "0FB1", "0FC8", "0FC9", "0FCB", "0FCF"]),
        ("CompareExchangeWide", ["0FC7/1"]),
        ("Condition", ["0F90", "0F92", "0F94", "0F96", "0F98", "0F9A", "0F9C", "0F9E", "0F9F", "0F9D", "0F40", "0F42", "0F44", "0F46", "0F48", "0F4A", "0F4C", "0F4E", "0F4F"]),
        ("BitTest", ["0FA3", "0FAB", "0FB3", "0FBB", "0FBA/4", "0FBA/5", "0FBA/6", "0FBA/7"]),
        ("Scan", ["0FBC", "0FBD", "F30FBC", "F30FBD", "F30FB8"]),
        ("FlagInstructions", ["9E", "9F", "F5", "F8", "F9", "FC", "FD"]),
        ("Xlat", ["D7"]),
        ("Crc32AndMovbe", ["F20F38F0", "F20F38F1", "0F38F0", "0F38F1"]),
        ("AddCarry", ["660F38F6", "F30F38F6"]),
        ("Bmi", ["v0F38F2", "v0F38F3/1", "v0F38F3/2", "v0F38F3/3", "v0F38F5", "v0F38F7", "vF30F38F5", "vF20F38F5", "vF20F38F6"]),
        ("FlaglessShift", ["v660F38F7", "vF30F38F7", "vF20F38F7", "vF20F3AF0"]),
        ("String", ["sA4", "sA5", "sA6", "sA7", "sAA", "sAB", "sAC", "sAD", "sAE", "sAF"]),
        ("SseMoves", ["0F10", "0F11", "660F10", "660F11", "F30F10", "F30F11", "F20F10", "F20F11", "0F12", "0F13", "0F16", "0F17", "660F12", "660F13", "660F16", "660F17", "0F28", "0F29", "660F28", "660F29", "0F2B", "660F2B", "660F6F", "660F7F", "F30F6F", "F30F7F", "660FE7", "F20FF0", "660F382A"]),
        ("SseQuads", ["660F6E", "660F7E", "F30F7E", "660FD6"]),
        ("SseLogic", ["0F54", "0F55", "0F56", "0F57", "660F54", "660F55", "660F56", "660F57", "660FDB", "660FDF", "660FEB", "660FEF", "0F50", "660F50", "660FD7"]),
        ("MmxMoves", ["0F6E", "0F7E", "0F6F", "0F7F", "0FE7", "F30FD6", "F20FD6", "0FDB", "0FDF", "0FEB", "0FEF", "0FD7", "0F77"]),
        ("AvxMoves", ["v0F10", "v0F11", "v660F10", "v660F11", "vF30F10", "vF30F11", "vF20F10", "vF20F11", "v0F12", "v0F13", "v0F16", "v0F17", "v660F12", "v660F13", "v660F16", "v660F17", "v0F28", "v0F29", "v660F28", "v660F29", "v0F2B", "v660F2B", "v660F6F", "v660F7F", "vF30F6F", "vF30F7F", "v660FE7", "vF20FF0", "v660F382A"]),
        ("AvxQuads", ["v660F6E", "v660F7E", "vF30F7E", "v660FD6", "v0F77"]),
        ("AvxLogic", ["v0F54", "v0F55", "v0F56", "v0F57", "v660F54", "v660F55", "v660F56", "v660F57", "v660FDB", "v660FDF", "v660FEB", "v660FEF", "v0F50", "v660F50", "v660FD7"]),
        ("X87Control", ["DBE3", "DBE2", "D9/7", "DD/7", "DFE0", "0FAE/3"]),
    ];

    public static IEnumerable<string> Families() => s_families.Select(static family => family.Name);

    [TestCaseSource(nameof(Families))]
    public void Family_behaves_as_the_processor_does(string family) => Run(family, cases: 400);

    [TestCaseSource(nameof(Families))]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Family_behaves_as_the_processor_does_in_many_states(string family) => Run(family, cases: 20_000);

    private static void Run(string family, int cases)
    {
        if (RuntimeInformation.ProcessArchitecture != System.Runtime.InteropServices.Architecture.X64 || !System.Runtime.Intrinsics.X86.Avx2.IsSupported
            || !System.Runtime.Intrinsics.X86.Bmi2.X64.IsSupported)
        {
            Assert.Ignore("The oracle needs an x86-64 processor with AVX2 and BMI2.");
        }

        string[] opcodes = s_families.Single(f => f.Name == family).Opcodes;
        Random random = new(family.Length * 7919 + family[0]);
        using NativeCpu native = new();
        List<string> differences = [];
        int compared = 0;
        for (int n = 0; n < cases && differences.Count < 10; n++)
        {
            OracleCase oracle = new(random, opcodes[n % opcodes.Length], native.DataAddress);
            if (oracle.TryCompare(native, out string? difference))
            {
                compared++;
                if (difference is not null)
                {
                    differences.Add(difference);
                }
            }
        }

        differences.Should().BeEmpty();
        compared.Should().BeGreaterThan(cases / 5, "most of the random cases must be executable");
    }

    internal static ulong DefinedFlags(in Instruction instruction, ulong count) => OracleState.StatusFlags & ~UndefinedFlags.Of(in instruction, count);
}
