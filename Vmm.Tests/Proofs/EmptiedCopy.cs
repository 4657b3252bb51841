// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Reflection;
using Vmm.Tests.Support;

namespace Vmm.Tests.Proofs;

/// <summary>A copy of these tests and of what they test, in which one function at a time is emptied. Removes itself.</summary>
internal sealed class EmptiedCopy : IDisposable
{
    /// <summary>The test runner's exit code when tests failed.</summary>
    private const int TestsFailed = 2;

    /// <summary>A test that waits for what an emptied function would have done does not end by itself.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _directory;

    public EmptiedCopy()
    {
        // Below the repository, which tests look for above themselves.
        _directory = RepositoryFiles.PathOf(Path.Combine("artifacts", $"emptied-{Environment.ProcessId}"));
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(_directory, Path.GetRelativePath(AppContext.BaseDirectory, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy, overwrite: true);
        }
    }

    /// <summary>Runs tests of the copy while methods are empty.</summary>
    /// <param name="bodies">The methods; none for a run of what there is.</param>
    /// <param name="filter">Which tests, as the runner's filter.</param>
    /// <returns>How it ended, in a word or two; null when every test passed.</returns>
    public string? Run(IReadOnlyCollection<MethodInfo> bodies, string filter)
    {
        try
        {
            foreach (IGrouping<string, MethodInfo> assembly in bodies.GroupBy(body => Path.GetFileName(body.Module.FullyQualifiedName)))
            {
                EmptiedBody.Write(Original(assembly.Key), Copied(assembly.Key), assembly);
            }

            return RunTests(filter);
        }
        finally
        {
            foreach (string name in bodies.Select(body => Path.GetFileName(body.Module.FullyQualifiedName)).Distinct())
            {
                File.Copy(Original(name), Copied(name), overwrite: true);
            }
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static string Original(string name) => Path.Combine(AppContext.BaseDirectory, name);

    private string Copied(string name) => Path.Combine(_directory, name);

    private string? RunTests(string filter)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet")
        {
            ArgumentList = { Copied("Vmm.Tests.dll"), "--filter", filter, "--progress", "off", "--no-ansi" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return "does not end";
        }

        Output = $"{output.Result}{errors.Result}";
        return process.ExitCode switch
        {
            0 => null,
            TestsFailed => "fails",
            > 128 => "ends the process",
            _ => throw new InvalidOperationException($"the tests '{filter}' did not run: exit code {process.ExitCode}{Environment.NewLine}{Output}"),
        };
    }

    /// <summary>What the tests of the last run wrote.</summary>
    public string Output { get; private set; } = "";
}
