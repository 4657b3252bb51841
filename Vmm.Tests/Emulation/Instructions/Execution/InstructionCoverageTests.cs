// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>
/// Counts what is executable in Iced's codes by executing one encoding of each, and keeps <c>docs/instruction-coverage.md</c> current.
/// Set VMM_UPDATE_DOCS=1 to write it.
/// </summary>
public sealed class InstructionCoverageTests
{
    private const string Document = "instruction-coverage.md";

    private static readonly byte[][] s_prefixes =
    [
        [], [0x66], [0xF2], [0xF3], [0x48], [0x66, 0x48], [0xF2, 0x48], [0xF3, 0x48], [0x67], [0x67, 0x48], [0x66, 0x67], [0xF2, 0x66], [0xF3, 0x66],
        [0x9B], [0x67, 0x66, 0xF3],
    ];

    private readonly SortedDictionary<string, (Operation Operation, bool Executable)> _codes = new(StringComparer.Ordinal);

    private readonly Dictionary<Iced.Intel.Code, string> _names = [];

    [Test]
    public void The_document_is_current_and_at_least_700_codes_are_executable()
    {
        foreach (CodeSize codeSize in Enum.GetValues<CodeSize>())
        {
            Sweep(codeSize);
        }

        string text = Render();
        string path = Path.Combine(Repository(), "docs", Document);
        if (Environment.GetEnvironmentVariable("VMM_UPDATE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        _codes.Values.Count(static code => code.Executable).Should().BeGreaterThanOrEqualTo(700);
        File.ReadAllText(path).Should().Be(text, "the document is generated: run this test with VMM_UPDATE_DOCS=1");
    }

    private static string Repository()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Vmm.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("The tests run outside the repository.");
    }

    private static IEnumerable<byte> ModRms(int opcode, int map)
    {
        for (int reg = 0; reg < 8; reg++)
        {
            yield return (byte)(reg << 3 | 6);
            yield return (byte)(0xC0 | reg << 3 | 1);
        }

        bool hasExact = map == 0 && opcode is >= 0xC6 and <= 0xC7 or >= 0xD8 and <= 0xDF || map == 1 && opcode is 0x01 or 0x1E or 0xAE or 0xC7;
        for (int value = 0xC0; hasExact && value < 0x100; value++)
        {
            yield return (byte)value;
        }
    }

    private void Sweep(CodeSize codeSize)
    {
        byte[] window = new byte[Decoder.MaximumLength];
        for (int map = 0; map < 4; map++)
        {
            byte[] escape = map switch
            {
                0 => [],
                1 => [0x0F],
                2 => [0x0F, 0x38],
                _ => [0x0F, 0x3A],
            };
            for (int opcode = 0; opcode < 256; opcode++)
            {
                foreach (byte modRm in ModRms(opcode, map))
                {
                    foreach (byte[] prefix in s_prefixes)
                    {
                        Try(codeSize, window, [.. prefix, .. escape, (byte)opcode, modRm]);
                    }

                    for (int payload = 0; map > 0 && payload < 16; payload++)
                    {
                        byte last = (byte)((payload & 8) << 4 | 0x78 | payload & 7);
                        Try(codeSize, window, [0xC4, (byte)(0xE0 | map), last, (byte)opcode, modRm]);
                        Try(codeSize, window, [0xC4, (byte)(0xE0 | map), (byte)(last & 0xBF), (byte)opcode, modRm]);
                    }
                }
            }
        }
    }

    private void Try(CodeSize codeSize, byte[] window, ReadOnlySpan<byte> bytes)
    {
        Array.Clear(window);
        bytes.CopyTo(window);
        if (Decoder.Decode(window, codeSize, out Instruction instruction) != DecodeStatus.Decoded || instruction.Operation == Operation.Evex)
        {
            return;
        }

        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(16 << (int)codeSize, window);
        string code = Name(decoder.Decode().Code);
        if (!_codes.ContainsKey(code))
        {
            _codes[code] = (instruction.Operation, IsExecutable(codeSize, window));
        }
    }

    private string Name(Iced.Intel.Code code)
    {
        if (!_names.TryGetValue(code, out string? name))
        {
            name = code.ToString();
            _names[code] = name;
        }

        return name;
    }

    private static bool IsExecutable(CodeSize codeSize, byte[] window)
    {
        FlatMachine machine = codeSize switch
        {
            CodeSize.Bits16 => FlatMachine.Real(),
            CodeSize.Bits32 => FlatMachine.Protected(),
            _ => FlatMachine.Long(),
        };
        machine.State.General[6] = 0x5_0000 & (codeSize == CodeSize.Bits16 ? 0xFFFFu : uint.MaxValue);
        machine.Load(window);
        return machine.Step().Status != ExecutionStatus.NotExecutable;
    }

    private string Render()
    {
        StringBuilder text = new();
        int executable = _codes.Values.Count(static code => code.Executable);
        text.Append("# Instruction coverage\n\n");
        text.Append("Generated by `InstructionCoverageTests` from the opcode tables and by executing one encoding of each code; do not edit.\n");
        text.Append("A code is one of Iced's `Code` values: an instruction form with its operand size.\n\n");
        text.Append(CultureInfo.InvariantCulture, $"| | codes |\n|---|---:|\n| executable | {executable} |\n");
        text.Append(CultureInfo.InvariantCulture, $"| known, refused by name | {_codes.Count - executable} |\n\n");
        text.Append("EVEX encodings are recognised with their length and refused. 3DNow!, XOP, FMA4, SVM, PadLock, AMX and Xeon Phi encodings are invalid.\n");
        text.Append("Of executable instructions these variants are refused: task switches, and INT n and IRET under CR4.VME in virtual-8086 mode.\n");
        Section(text, "Executable", true);
        Section(text, "Known, refused by name", false);
        return text.ToString();
    }

    private void Section(StringBuilder text, string title, bool executable)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n| operation | codes |\n|---|---|\n");
        foreach (IGrouping<string, string> group in _codes.Where(c => c.Value.Executable == executable)
            .GroupBy(static c => c.Value.Operation.ToString(), static c => c.Key).OrderBy(static g => g.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {group.Key} | {string.Join(", ", group)} |\n");
        }
    }
}
