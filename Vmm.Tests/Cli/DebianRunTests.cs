// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Backend;
using Vmm.Kvm;
using Vmm.Machine.Board;
using Vmm.Machine.Boot;
using Vmm.Machine.Devices;

namespace Vmm.Tests.Cli;

/// <summary>Debian's own cloud kernel on this host, as far as the host takes it.</summary>
[Category("Debian")]
[Category("Kvm")]
public sealed class DebianRunTests
{
    private const string CommandLine = "console=ttyS0 earlyprintk=ttyS0 nokaslr";

    private string _kernel = "";

    [OneTimeSetUp]
    public void FindKernel()
    {
        VmmProcess.RequireKvm();
        string? path = Environment.GetEnvironmentVariable("VMM_DEBIAN_KERNEL");
        path ??= Directory.Exists("/boot") ? Directory.GetFiles("/boot", "vmlinuz-*-cloud-amd64").Max() : null;
        if (path is null)
        {
            Assert.Ignore("No Debian cloud kernel: set VMM_DEBIAN_KERNEL to one, or install linux-image-cloud-amd64.");
        }

        _kernel = path!;
    }

    [Test]
    public void Kernel_prints_its_banner_and_the_memory_map()
    {
        using CancellationTokenSource seen = new();
        using KvmBackend backend = KvmBackend.Open();
        Transcript transcript = new(text =>
        {
            if (text.Contains("NX (Execute Disable)", StringComparison.Ordinal))
            {
                seen.Cancel();
            }
        });
        using PcMachine machine = PcMachine.Create(
            backend, new PcOptions { Console = transcript, Timeout = TimeSpan.FromMinutes(5) });
        machine.LoadLinux(new LinuxBootOptions { Kernel = File.ReadAllBytes(_kernel), CommandLine = CommandLine });

        MachineResult result = machine.Run(seen.Token);

        result.End.Should().Be(MachineEnd.Stopped, result.Detail);
        transcript.Text.Should().ContainAll("Linux version", "cloud-amd64", "BIOS-provided physical RAM map", "usable");
    }

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Kernel_ends_at_the_first_instruction_that_a_pvm_host_cannot_emulate()
    {
        if (KvmDoctor.Examine(measure: false).Virtualization != HostVirtualization.Pvm)
        {
            Assert.Ignore("this host executes kernel-mode code natively");
        }

        VmmOutput run = VmmProcess.Run(
            "run", "--backend", "kvm", "--kernel", _kernel, "--memory", "512M", "--cmdline", CommandLine, "--timeout", "600s");

        run.ExitCode.Should().Be(86, run.Error);
        run.Error.Should().ContainAll("emulation failure", "bytes:", "instruction:", "does not know `", "try:");
    }

    /// <summary>Keeps what the guest prints and shows it to whoever waits for something.</summary>
    private sealed class Transcript(Action<string> look) : IConsoleSink
    {
        private readonly StringBuilder _text = new();

        public string Text => _text.ToString();

        public void Write(ReadOnlySpan<byte> data)
        {
            _text.Append(Encoding.ASCII.GetString(data));
            if (data.Contains((byte)'\n'))
            {
                look(Text);
            }
        }
    }
}
