// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;

namespace Vmm.Benchmarks.Tcg;

/// <summary>A program that runs a guest: <c>vmm</c> or QEMU. What the guest writes to COM1 comes out of it and is timed by the host's clock.</summary>
internal sealed class GuestProgram
{
    private const string Qemu = "qemu-system-x86_64";
    private const string Memory = "256M";

    private readonly string _program;
    private readonly string[] _machine;
    private readonly bool _isQemu;

    private GuestProgram(string program, string[] machine, bool isQemu)
    {
        _program = program;
        _machine = machine;
        _isQemu = isQemu;
    }

    /// <summary>A published <c>vmm</c>, with the processor in software.</summary>
    internal static GuestProgram Vmm(string program) => new(program, ["run", "--backend", "software", "--memory", Memory], isQemu: false);

    /// <summary>QEMU's TCG; null where QEMU cannot be started.</summary>
    internal static GuestProgram? TryTcg()
    {
        try
        {
            using Process version = CTwin.Start(Qemu, "--version");
            Console.WriteLine(version.StandardOutput.ReadLine());
            version.StandardOutput.ReadToEnd();
            version.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            Console.WriteLine($"{Qemu} cannot be started (Debian has it in qemu-system-x86): vmm is measured alone");
            return null;
        }

        return new(
            Qemu,
            ["-accel", "tcg", "-M", "q35", "-cpu", "max", "-m", Memory, "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"],
            isQemu: true);
    }

    /// <summary>Runs <see cref="LoopGuest"/>.</summary>
    internal GuestOutput RunLoops(string image) => Run(_isQemu ? ["-kernel", image] : ["--flat", image, "--flat-mode", "long"], exitCode: 1);

    /// <summary>Boots a Linux kernel that powers off by itself.</summary>
    internal GuestOutput Boot(string kernel, string initrd, string commandLine) => Run(
        _isQemu ? ["-kernel", kernel, "-initrd", initrd, "-append", commandLine] : ["--kernel", kernel, "--initrd", initrd, "--cmdline", commandLine],
        exitCode: 0);

    private GuestOutput Run(string[] guest, int exitCode)
    {
        ProcessStartInfo start = new(_program, [.. _machine, .. guest])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        GuestOutput output = new();
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        Stream stream = process.StandardOutput.BaseStream;
        Span<byte> buffer = stackalloc byte[256];
        for (int length = stream.Read(buffer); length > 0; length = stream.Read(buffer))
        {
            output.Add(buffer[..length]);
        }

        process.WaitForExit();
        output.End();
        return process.ExitCode == exitCode
            ? output
            : throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"{_program} ended with {process.ExitCode} and not {exitCode}, having written '{output.Text}': {errors.GetAwaiter().GetResult()}"));
    }
}
