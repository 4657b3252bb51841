// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;

namespace Vmm.Benchmarks;

/// <summary>A C program that is compiled when the benchmark starts, and measured beside it.</summary>
internal sealed class CTwin : IDisposable
{
    private readonly string _folder;
    private readonly string _program;

    private CTwin(string folder, string program)
    {
        _folder = folder;
        _program = program;
    }

    /// <summary>Compiles a source file that lies beside the benchmark's program.</summary>
    /// <exception cref="InvalidOperationException">gcc is missing or refuses the source.</exception>
    public static CTwin Compile(string source)
    {
        string folder = Directory.CreateTempSubdirectory("vmm-twin").FullName;
        string program = Path.Combine(folder, "twin");
        using Process gcc = Start(
            "gcc", "-O2", "-pthread", "-o", program, Path.Combine(AppContext.BaseDirectory, source));
        string errors = gcc.StandardError.ReadToEnd();
        gcc.WaitForExit();
        return gcc.ExitCode == 0
            ? new CTwin(folder, program)
            : throw new InvalidOperationException($"gcc refuses {source}: {errors}");
    }

    /// <summary>Runs the program and reads the figure that it prints.</summary>
    public double Run(params string[] arguments)
    {
        using Process process = Start(_program, arguments);
        string output = process.StandardOutput.ReadToEnd();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? double.Parse(output, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"the C twin failed on {string.Join(' ', arguments)}: {errors}");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Starts a program with its output redirected.</summary>
    /// <exception cref="InvalidOperationException">It cannot be started.</exception>
    public static Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new InvalidOperationException($"{program} cannot be started: {exception.Message}", exception);
        }
    }
}
