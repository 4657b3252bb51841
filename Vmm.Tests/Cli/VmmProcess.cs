// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Tests.Support;

namespace Vmm.Tests.Cli;

/// <summary>The <c>vmm</c> program as its users start it.</summary>
internal static class VmmProcess
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(11);

    /// <summary>Runs it to its end, with nothing on standard input.</summary>
    public static VmmOutput Run(params string[] args) => RunTyped("", args);

    /// <summary>Runs it to its end, with something on standard input.</summary>
    public static VmmOutput RunTyped(string input, params string[] args)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "vmm.dll");
        ProcessStartInfo start = new(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (!IsDotnet(start.FileName))
        {
            start.FileName = "dotnet";
        }

        start.ArgumentList.Add(program);
        Array.ForEach(args, start.ArgumentList.Add);
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill();
            Assert.Fail($"vmm {string.Join(' ', args)} did not end");
        }

        return new VmmOutput(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>Runs a flat binary.</summary>
    public static VmmOutput RunFlat(byte[] code, params string[] args) => RunFlatTyped("", code, args);

    /// <summary>Runs a flat binary with something on standard input.</summary>
    public static VmmOutput RunFlatTyped(string input, byte[] code, params string[] args)
    {
        string[] limit = args.Contains("--timeout") ? [] : ["--timeout", "30s"];
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, code);
            return RunTyped(input, ["run", "--flat", file, "--memory", "4M", .. args, .. limit]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Ends the test when the host has no KVM.</summary>
    public static void RequireKvm() => KvmRequirement.Open().Dispose();

    private static bool IsDotnet(string path) => Path.GetFileNameWithoutExtension(path) == "dotnet";
}

/// <summary>What a process left.</summary>
internal readonly record struct VmmOutput(int ExitCode, string Out, string Error);
