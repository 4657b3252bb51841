// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Tests.Emulation.Instructions.Oracle;
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
        ("SseFloat", ["0F58", "0F59", "0F5C", "0F5D", "0F5E", "0F5F", "0F51", "660F58", "660F59", "660F5C", "660F5D", "660F5E", "660F5F", "660F51", "F30F58", "F30F59", "F30F5C", "F30F5D", "F30F5E", "F30F5F", "F30F51", "F20F58", "F20F59", "F20F5C", "F20F5D", "F20F5E", "F20F5F", "F20F51"]),
        ("SseConvert", ["0F5A", "660F5A", "F30F5A", "F20F5A", "0F5B", "660F5B", "F30F5B", "660FE6", "F30FE6", "F20FE6", "F30F2A", "F20F2A", "F30F2C", "F20F2C", "F30F2D", "F20F2D", "0F2E", "660F2E", "0F2F", "660F2F", "0FC2", "660FC2", "F30FC2", "F20FC2", "660F3A08", "660F3A09", "660F3A0A", "660F3A0B"]),
        ("SseInteger", ["660F60", "660F61", "660F62", "660F63", "660F64", "660F65", "660F66", "660F67", "660F68", "660F69", "660F6A", "660F6B", "660F6C", "660F6D", "660F70", "660F74", "660F75", "660F76", "660FD1", "660FD2", "660FD3", "660FD4", "660FD5", "660FD8", "660FD9", "660FDA", "660FDB", "660FDC", "660FDD", "660FDE", "660FDF", "660FE0", "660FE1", "660FE2", "660FE3", "660FE4", "660FE5", "660FE8", "660FE9", "660FEA", "660FEB", "660FEC", "660FED", "660FEE", "660FEF", "660FF1", "660FF2", "660FF3", "660FF4", "660FF5", "660FF6", "660FF8", "660FF9", "660FFA", "660FFB", "660FFC", "660FFD", "660FFE"]),
        ("MmxInteger", ["0F60", "0F61", "0F62", "0F63", "0F64", "0F65", "0F66", "0F67", "0F68", "0F69", "0F6A", "0F6B", "0F70", "0F74", "0F75", "0F76", "0FD1", "0FD2", "0FD3", "0FD4", "0FD5", "0FD8", "0FD9", "0FDA", "0FDB", "0FDC", "0FDD", "0FDE", "0FDF", "0FE0", "0FE1", "0FE2", "0FE3", "0FE4", "0FE5", "0FE8", "0FE9", "0FEA", "0FEB", "0FEC", "0FED", "0FEE", "0FEF", "0FF1", "0FF2", "0FF3", "0FF4", "0FF5", "0FF6", "0FF8", "0FF9", "0FFA", "0FFB", "0FFC", "0FFD", "0FFE"]),
        ("Sse3To42", ["660F3800", "660F3801", "660F3802", "660F3803", "660F3804", "660F3805", "660F3806", "660F3807", "660F3808", "660F3809", "660F380A", "660F380B", "660F3810", "660F3814", "660F3815", "660F3817", "660F381C", "660F381D", "660F381E", "660F3820", "660F3821", "660F3822", "660F3823", "660F3824", "660F3825", "660F3828", "660F3829", "660F382B", "660F3830", "660F3831", "660F3832", "660F3833", "660F3834", "660F3835", "660F3837", "660F3838", "660F3839", "660F383A", "660F383B", "660F383C", "660F383D", "660F383E", "660F383F", "660F3840", "660F3841", "660F3A0C", "660F3A0D", "660F3A0E", "660F3A0F", "660F3A14", "660F3A15", "660F3A16", "660F3A17", "660F3A20", "660F3A21", "660F3A22", "660F3A40", "660F3A41", "660F3A42", "660F3A60", "660F3A61", "660F3A62", "660F3A63"]),
        ("AvxFloat", ["v0F58", "v0F59", "v0F5C", "v0F5D", "v0F5E", "v0F5F", "v0F51", "v660F58", "v660F59", "v660F5C", "v660F5D", "v660F5E", "v660F5F", "v660F51", "vF30F58", "vF30F59", "vF30F5C", "vF30F5D", "vF30F5E", "vF30F5F", "vF30F51", "vF20F58", "vF20F59", "vF20F5C", "vF20F5D", "vF20F5E", "vF20F5F", "vF20F51"]),
        ("AvxInteger", ["v660F60", "v660F61", "v660F62", "v660F63", "v660F64", "v660F65", "v660F66", "v660F67", "v660F68", "v660F69", "v660F6A", "v660F6B", "v660F6C", "v660F6D", "v660F70", "v660F74", "v660F75", "v660F76", "v660FD1", "v660FD2", "v660FD3", "v660FD4", "v660FD5", "v660FD8", "v660FD9", "v660FDA", "v660FDB", "v660FDC", "v660FDD", "v660FDE", "v660FDF", "v660FE0", "v660FE1", "v660FE2", "v660FE3", "v660FE4", "v660FE5", "v660FE8", "v660FE9", "v660FEA", "v660FEB", "v660FEC", "v660FED", "v660FEE", "v660FEF", "v660FF1", "v660FF2", "v660FF3", "v660FF4", "v660FF5", "v660FF6", "v660FF8", "v660FF9", "v660FFA", "v660FFB", "v660FFC", "v660FFD", "v660FFE"]),
        ("Fma", ["v660F3896", "v660F3897", "v660F3898", "v660F3899", "v660F389A", "v660F389B", "v660F389C", "v660F389D", "v660F389E", "v660F389F", "v660F38A6", "v660F38A7", "v660F38A8", "v660F38A9", "v660F38AA", "v660F38AB", "v660F38AC", "v660F38AD", "v660F38AE", "v660F38AF", "v660F38B6", "v660F38B7", "v660F38B8", "v660F38B9", "v660F38BA", "v660F38BB", "v660F38BC", "v660F38BD", "v660F38BE", "v660F38BF"]),
        ("X87", ["D8", "DA", "DC", "DE", "D9/0", "D9/1", "D9/2", "D9/3", "DB/0", "DB/1", "DB/2", "DB/3", "DD/0", "DD/1", "DD/2", "DD/3", "DF/0", "DF/1", "DF/2", "DF/3", "DF/4", "DF/5", "DF/6"]),
        ("X87Control", ["DBE3", "DBE2", "D9/7", "DD/7", "DFE0", "0FAE/3"]),
    ];

    public static IEnumerable<string> Families() => s_families.Select(static family => family.Name);

    [TestCaseSource(nameof(Families))]
    public void Family_behaves_as_the_processor_does(string family) => Run(family, cases: 400);

    [TestCaseSource(nameof(Families))]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Family_behaves_as_the_processor_does_in_many_states(string family) => Run(family, cases: 20_000, OracleTest.LongSeed);

    private static void Run(string family, int cases, int seed = 0)
    {
        if (RuntimeInformation.ProcessArchitecture != System.Runtime.InteropServices.Architecture.X64 || !System.Runtime.Intrinsics.X86.Avx2.IsSupported
            || !System.Runtime.Intrinsics.X86.Bmi2.X64.IsSupported)
        {
            Assert.Ignore("The oracle needs an x86-64 processor with AVX2 and BMI2.");
        }

        string[] opcodes = s_families.Single(f => f.Name == family).Opcodes;
        Random random = new(unchecked(seed + family.Length * 7919 + family[0]));
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
