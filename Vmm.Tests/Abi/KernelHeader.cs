// SPDX-License-Identifier: BSD-2-Clause

using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Vmm.Tests.Abi;

/// <summary>
/// Asks gcc what the installed kernel headers say. Directories in <c>VMM_KERNEL_HEADERS</c> (separated by colons) come
/// before the installed ones, so that other versions can be checked.
/// </summary>
internal sealed partial class KernelHeader : IDisposable
{
    private const string Includes = """
        #define _GNU_SOURCE
        #include <stddef.h>
        #include <stdio.h>
        #include <signal.h>
        #include <time.h>
        #include <fcntl.h>
        #include <sys/eventfd.h>
        #include <sys/mman.h>
        #include <linux/version.h>
        #include <linux/kvm.h>

        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vmm-abi-");

    /// <summary>The version of the headers; null with a reason where there is no compiler or no header.</summary>
    public Version? Version(out string reason)
    {
        (int status, string output) = Preprocess();
        Match match = VersionPattern().Match(output);
        if (status != 0 || !match.Success)
        {
            reason = $"gcc with <linux/kvm.h> is needed: {output.Split('\n')[0]}";
            return null;
        }

        // LINUX_VERSION_CODE of linux/version.h: major, minor and patch level in one number.
        int code = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        reason = "";
        return new Version(code >> 16, (code >> 8) & 0xff);
    }

    /// <summary>Evaluates C expressions; null for those that the headers cannot compile.</summary>
    public ulong?[] Evaluate(IReadOnlyList<string> expressions)
    {
        // One expression a line, so that the line of an error names the expression.
        int firstLine = Includes.Count(letter => letter == '\n') + 1;
        StringBuilder probe = new(Includes);
        for (int index = 0; index < expressions.Count; index++)
        {
            probe.Append(CultureInfo.InvariantCulture, $"unsigned long long v{index} = {expressions[index]};\n");
        }

        string source = Write("probe.c", probe.ToString());
        (_, string errors) = Run("gcc", [.. Flags(), "-fsyntax-only", "-fmax-errors=0", source]);
        HashSet<int> bad = [.. ErrorPattern().Matches(errors).Select(match =>
            int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) - firstLine)];

        StringBuilder program = new(Includes);
        program.Append("int main(void)\n{\n");
        for (int index = 0; index < expressions.Count; index++)
        {
            if (!bad.Contains(index))
            {
                program.Append(
                    CultureInfo.InvariantCulture,
                    $"printf(\"{index} %llu\\n\", (unsigned long long)({expressions[index]}));\n");
            }
        }

        program.Append("return 0;\n}\n");
        string executable = Path.Combine(_directory.FullName, "ask");
        (int status, string output) = Run("gcc", [.. Flags(), "-o", executable, Write("ask.c", program.ToString())]);
        status.Should().Be(0, "the generated program must compile: {0}", output);
        (status, output) = Run(executable, []);
        status.Should().Be(0, "the generated program must run: {0}", output);

        ulong?[] values = new ulong?[expressions.Count];
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            values[int.Parse(words[0], CultureInfo.InvariantCulture)] = ulong.Parse(words[1], CultureInfo.InvariantCulture);
        }

        return values;
    }

    /// <summary>The names of all requests, capabilities and exit reasons that the headers define.</summary>
    public IReadOnlyCollection<string> Macros()
    {
        (_, string output) = Preprocess();
        return [.. MacroPattern().Matches(output).Select(match => match.Groups[1].Value)];
    }

    /// <inheritdoc/>
    public void Dispose() => _directory.Delete(recursive: true);

    [GeneratedRegex(@"^#define LINUX_VERSION_CODE (\d+)", RegexOptions.Multiline)]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"probe\.c:(\d+):\d+: error")]
    private static partial Regex ErrorPattern();

    [GeneratedRegex(@"^#define (KVM_(?:CAP_\w+|EXIT_\w+(?= +\d+$)|\w+(?= +_IO[RW]*\()))", RegexOptions.Multiline)]
    private static partial Regex MacroPattern();

    private static IEnumerable<string> Flags()
    {
        string extra = Environment.GetEnvironmentVariable("VMM_KERNEL_HEADERS") ?? "";
        return ["-w", .. extra.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(path => $"-I{path}")];
    }

    private (int Status, string Output) Preprocess() =>
        Run("gcc", [.. Flags(), "-dM", "-E", Write("version.c", Includes)]);

    private string Write(string name, string text)
    {
        string path = Path.Combine(_directory.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static (int Status, string Output) Run(string program, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output + errors.Result);
        }
        catch (Win32Exception exception)
        {
            return (-1, exception.Message);
        }
    }
}
