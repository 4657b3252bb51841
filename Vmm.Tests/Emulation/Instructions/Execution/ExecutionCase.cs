// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using CpuFeatures = Vmm.Emulation.Instructions.Execution.CpuFeatures;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>
/// One line of a file of execution cases: <c>mode ; set-up ; code ; outcome ; why</c>. Alternatives of mode or code are separated by
/// <c>/</c>, and each combination is a case. All numbers are hexadecimal.
/// </summary>
/// <remarks>
/// Set-up and the checks behind the outcome are words <c>name=value</c>; a name is a register (<c>rax</c>, <c>cr4</c>, <c>ss.access</c>),
/// or memory (<c>b[5000]</c>, <c>w[]</c>, <c>d[]</c>, <c>q[]</c>; a check of memory may have <c>&amp;mask</c> like any other). In the
/// set-up <c>+=</c> sets bits and <c>-=</c> clears them; <c>steps=n</c> executes more than one instruction, <c>deliver</c> delivers
/// exceptions, and <c>amd</c> makes it one of AMD's processors. Outcomes: <c>ok</c>, <c>halt</c>, <c>shutdown</c>, <c>refused</c>, or an exception: <c>#UD</c>, <c>#GP(0)</c>,
/// <c>#PF(2)@50000</c>.
/// </remarks>
/// <param name="Source">File and line.</param>
/// <param name="Mode">The state to begin in.</param>
/// <param name="Setup">What differs from it.</param>
/// <param name="Code">The bytes at RIP.</param>
/// <param name="Outcome">What must come out.</param>
/// <param name="Why">The rule and its section.</param>
internal sealed record ExecutionCase(string Source, string Mode, string Setup, byte[] Code, string Outcome, string Why)
{
    private static readonly Dictionary<string, byte> s_vectors = new(StringComparer.Ordinal)
    {
        ["#DE"] = 0,
        ["#DB"] = 1,
        ["#BP"] = 3,
        ["#OF"] = 4,
        ["#BR"] = 5,
        ["#UD"] = 6,
        ["#NM"] = 7,
        ["#DF"] = 8,
        ["#TS"] = 10,
        ["#NP"] = 11,
        ["#SS"] = 12,
        ["#GP"] = 13,
        ["#PF"] = 14,
        ["#MF"] = 16,
        ["#AC"] = 17,
        ["#XM"] = 19,
    };

    /// <summary>The cases of a file.</summary>
    internal static IEnumerable<ExecutionCase> Read(string path)
    {
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            string[] columns = line.Split(';', StringSplitOptions.TrimEntries);
            if (columns.Length != 5)
            {
                throw new InvalidDataException($"{Path.GetFileName(path)}:{number} has {columns.Length} columns, not 5");
            }

            foreach (string mode in columns[0].Split('/', StringSplitOptions.TrimEntries))
            {
                foreach (string code in columns[2].Split('/', StringSplitOptions.TrimEntries))
                {
                    byte[] bytes = Convert.FromHexString(code.Replace(" ", "", StringComparison.Ordinal));
                    yield return new($"{Path.GetFileName(path)}:{number}", mode, columns[1], bytes, columns[3], columns[4]);
                }
            }
        }
    }

    /// <summary>Executes the case; null, or what is wrong.</summary>
    internal string? Run()
    {
        FlatMachine machine = Create();
        CaseRegisters registers = new(machine);
        int steps = 1;
        bool delivers = false;
        foreach (string word in Words(Setup))
        {
            if (word == "deliver")
            {
                delivers = true;
            }
            else if (word == "amd")
            {
                machine.State.Vendor = CpuVendor.Amd;
                machine.State.Features |= CpuFeatures.MisalignedSse;
            }
            else if (word.StartsWith("steps=", StringComparison.Ordinal))
            {
                steps = int.Parse(word.AsSpan(6), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
            else
            {
                registers.Assign(word);
            }
        }

        Code.CopyTo(machine.Memory[(int)(machine.State.Rip + machine.State.Segments[(int)SegmentName.Cs].Base)..]);
        machine.State.FlushTranslations();
        ExecutionResult result = machine.Run(steps, delivers);
        string[] expected = Words(Outcome);
        string actual = Describe(in result, expected[0]);
        string where = $"{Source} ({Mode}, {Convert.ToHexString(Code)}: {Why})";
        if (actual != expected[0])
        {
            return $"{where} ended with {actual}, not {expected[0]}";
        }

        return expected.Skip(1).Select(registers.Check).FirstOrDefault(static difference => difference is not null) is { } wrong ? $"{where} {wrong}" : null;
    }

    public override string ToString() => $"{Source}_{Mode}_{Convert.ToHexString(Code)}";

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string Describe(in ExecutionResult result, string expected)
    {
        if (result.Status != ExecutionStatus.Fault)
        {
            return result.Status switch
            {
                ExecutionStatus.Completed => "ok",
                ExecutionStatus.Halted => "halt",
                ExecutionStatus.Shutdown => "shutdown",
                ExecutionStatus.NotExecutable => "refused",
                _ => result.Status.ToString(),
            };
        }

        byte vector = result.Vector;
        string name = s_vectors.FirstOrDefault(pair => pair.Value == vector).Key ?? $"#{vector}";
        string code = result.HasErrorCode ? string.Create(CultureInfo.InvariantCulture, $"({result.ErrorCode:X})") : "";
        bool hasAddress = expected.Contains('@', StringComparison.Ordinal);
        return name + code + (hasAddress ? string.Create(CultureInfo.InvariantCulture, $"@{result.FaultAddress:X}") : "");
    }

    private FlatMachine Create() => Mode switch
    {
        "real" => FlatMachine.Real(),
        "pm" => FlatMachine.Protected(),
        "pm3" => FlatMachine.Protected(cpl: 3),
        "v86" => Virtual8086(),
        "long" => FlatMachine.Long(),
        "long3" => FlatMachine.Long(cpl: 3),
        "paged" => Paged(0),
        "paged3" => Paged(3),
        "compat" => Compatibility(0),
        "compat3" => Compatibility(3),
        _ => throw new InvalidDataException($"{Source}: there is no mode {Mode}"),
    };

    /// <summary>Virtual-8086 mode with all segments at 0, code at 8000, and the stack at 7000.</summary>
    private static FlatMachine Virtual8086()
    {
        FlatMachine machine = FlatMachine.Protected(cpl: 3);
        for (int segment = 0; segment < 6; segment++)
        {
            machine.State.Segments[segment] = new() { Limit = 0xFFFF, Access = 0xF3 };
        }

        machine.State.Rflags = 0x2_0202;
        return machine;
    }

    /// <summary>64-bit mode with a page table at F000 for the first MiB: page n at F000 + n * 8, all open to everyone.</summary>
    private static FlatMachine Paged(int cpl)
    {
        FlatMachine machine = FlatMachine.Long(cpl);
        machine.Write64(0xE000, 0xF007);
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0xF000 + page * 8, (ulong)page << 12 | 7);
        }

        return machine;
    }

    private static FlatMachine Compatibility(int cpl)
    {
        FlatMachine machine = FlatMachine.Long(cpl);
        machine.State.Segments[(int)SegmentName.Cs].Access = 0xC09B | (uint)cpl << 5;
        return machine;
    }
}
