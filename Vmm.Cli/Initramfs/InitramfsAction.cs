// SPDX-License-Identifier: BSD-2-Clause

using System.ComponentModel;
using System.Diagnostics;
using Vmm.Machine.Boot;

namespace Vmm.Cli.Initramfs;

/// <summary>Carries out <c>vmm initramfs</c>.</summary>
internal sealed class InitramfsAction(CliHost host, string output, string busybox, string? script, string[] additions)
{
    private const string Missing = "install the package busybox-static, or give a statically linked one with --busybox";

    /// <summary>Makes the archive.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="UsageException">An addition is not written as one, or there is no busybox.</exception>
    public int Run()
    {
        if (!File.Exists(busybox))
        {
            throw new UsageException($"--busybox: {busybox} does not exist; {Missing}");
        }

        InitramfsBuilder builder = BusyboxInitramfs.Create(
            File.ReadAllBytes(busybox), Applets(), script is null ? null : File.ReadAllText(script));
        foreach (string addition in additions)
        {
            Add(builder, addition);
        }

        using FileStream file = File.Create(output);
        builder.Write(file);
        host.Error.WriteLine($"vmm: {output}: {file.Length >> 10} KiB");
        return ExitCodes.Success;
    }

    private static void Add(InitramfsBuilder builder, string addition)
    {
        int at = addition.LastIndexOf(':');
        if (at <= 0 || at == addition.Length - 1)
        {
            throw new UsageException($"--add: '{addition}' is not FILE:PATH");
        }

        string file = addition[..at];
        bool isExecutable = OperatingSystem.IsLinux() && (File.GetUnixFileMode(file) & UnixFileMode.UserExecute) != 0;
        try
        {
            builder.AddFile(addition[(at + 1)..], File.ReadAllBytes(file), isExecutable);
        }
        catch (ArgumentException path)
        {
            throw new UsageException($"--add: {path.Message}");
        }
    }

    /// <summary>The program says itself which commands it has.</summary>
    private string[] Applets()
    {
        try
        {
            using Process list = Process.Start(new ProcessStartInfo(busybox, "--list") { RedirectStandardOutput = true })!;
            string text = list.StandardOutput.ReadToEnd();
            list.WaitForExit();
            return text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }
        catch (Win32Exception refusal)
        {
            throw new UsageException($"--busybox: {busybox} does not run here: {refusal.Message}; {Missing}");
        }
    }
}
