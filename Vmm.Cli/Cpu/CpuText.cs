// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Cli.Cpu;

/// <summary>Processors for a person, plain text of at most 100 columns.</summary>
internal static class CpuText
{
    private const int Width = 100;
    private const int Indent = 10;

    private static readonly string[] s_states =
    [
        "x87", "SSE", "AVX", "MPX bounds", "MPX configuration", "AVX-512 masks", "AVX-512 ZMM upper halves", "AVX-512 ZMM16-31",
        "processor trace", "PKRU", "PASID", "CET user", "CET supervisor", "HDC", "user interrupts", "LBR", "HWP", "AMX configuration",
        "AMX data", "APX",
    ];

    /// <summary>Writes a processor.</summary>
    public static void WriteDefinition(TextWriter writer, string name, CpuResolution resolution, bool leaves)
    {
        CpuDefinition cpu = resolution.Definition;
        (uint family, uint model, uint stepping) = cpu.Signature;
        Line(writer, "model", name);
        Line(writer, "vendor", cpu.VendorName);
        Line(writer, "name", cpu.BrandName.Length == 0 ? "none" : cpu.BrandName);
        Line(writer, "family", $"{family}, model {model}, stepping {stepping}");
        Line(writer, "addresses", $"{cpu.PhysicalAddressBits} bits physical");
        Line(writer, "XCR0", States(cpu.UserStates));
        Line(writer, "IA32_XSS", States(cpu.SupervisorStates));
        foreach (MsrEntry msr in resolution.Msrs)
        {
            Line(writer, "register", $"{MsrRegistry.NameOf(msr.Index)} = 0x{msr.Value:x}");
        }

        foreach (string message in resolution.Messages)
        {
            Line(writer, "note", message);
        }

        writer.WriteLine();
        writer.WriteLine("features");
        foreach (IGrouping<(uint Function, uint Index, CpuidRegister Register), CpuFeature> group in CpuFeatures.All
            .Where(feature => cpu.Has(feature)).GroupBy(feature => (feature.Function, feature.Index, feature.Register)))
        {
            string place = $"  0x{group.Key.Function:x}{(group.Key.Index == 0 ? "" : $".{group.Key.Index}")} {group.Key.Register.ToString().ToUpperInvariant()}";
            Wrap(writer, place.PadRight(18), group.Select(feature => feature.Name));
        }

        if (leaves)
        {
            WriteLeaves(writer, cpu);
        }

        if (!resolution.Problems.IsEmpty)
        {
            writer.WriteLine();
            writer.WriteLine("Guests on this host cannot have it; 'vmm cpu check' says why.");
        }
    }

    /// <summary>Writes what differs.</summary>
    public static void WriteComparison(TextWriter writer, string first, string second, CpuComparison comparison)
    {
        if (comparison.IsSame)
        {
            writer.WriteLine($"{first} and {second} are the same processor.");
            return;
        }

        WriteOnly(writer, first, second, comparison.OnlyInFirst);
        WriteOnly(writer, second, first, comparison.OnlyInSecond);
        foreach (CpuDifference difference in comparison.Others)
        {
            writer.WriteLine($"{difference.What}: {Quoted(difference.First)} in {first}, {Quoted(difference.Second)} in {second}.");
        }
    }

    /// <summary>Writes whether guests can have a processor.</summary>
    public static void WriteCheck(TextWriter writer, string name, CpuResolution resolution)
    {
        foreach (string message in resolution.Messages)
        {
            writer.WriteLine($"note: {message}.");
        }

        if (resolution.Problems.IsEmpty)
        {
            writer.WriteLine($"{name} fits: guests on this host can have it.");
            return;
        }

        writer.WriteLine($"{name} does not fit this host:");
        foreach (string problem in resolution.Problems)
        {
            writer.WriteLine($"  {problem}.");
        }
    }

    private static void WriteOnly(TextWriter writer, string with, string without, IReadOnlyCollection<string> features)
    {
        if (features.Count > 0)
        {
            writer.WriteLine($"{with} has {features.Count} feature{(features.Count == 1 ? "" : "s")} that {without} lacks:");
            Wrap(writer, "  ", features);
        }
    }

    private static void WriteLeaves(TextWriter writer, CpuDefinition cpu)
    {
        writer.WriteLine();
        writer.WriteLine("leaves        EAX      EBX      ECX      EDX");
        foreach (CpuidEntry entry in cpu.Entries)
        {
            string place = entry.MatchIndex ? $"{entry.Function:x}.{entry.Index:x}" : $"{entry.Function:x}";
            writer.WriteLine($"  {place,-10}  {entry.Eax:x8} {entry.Ebx:x8} {entry.Ecx:x8} {entry.Edx:x8}");
        }
    }

    private static string Quoted(string text) => text.Length == 0 ? "nothing" : text;

    private static string States(ulong mask)
    {
        IEnumerable<string> names = Enumerable.Range(0, 64).Where(bit => (mask >> bit & 1) != 0)
            .Select(bit => bit < s_states.Length ? s_states[bit] : $"component {bit}");
        return mask == 0 ? "nothing" : $"0x{mask:x}: {string.Join(", ", names)}";
    }

    private static void Line(TextWriter writer, string title, string text) => Wrap(writer, title.PadRight(Indent), text.Split(' '));

    private static void Wrap(TextWriter writer, string title, IEnumerable<string> words)
    {
        string line = title;
        bool isEmpty = true;
        foreach (string word in words)
        {
            if (!isEmpty && line.Length + 1 + word.Length > Width)
            {
                writer.WriteLine(line);
                line = new string(' ', title.Length);
                isEmpty = true;
            }

            line += isEmpty ? word : $" {word}";
            isEmpty = false;
        }

        writer.WriteLine(line);
    }
}
