// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm;

namespace Vmm.Tests.Cli;

/// <summary>Debian's own cloud kernel on this host, as far as the host takes it.</summary>
[Category("Debian")]
[Category("Kvm")]
public sealed class DebianRunTests
{
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

    // On a quiet machine less than two minutes; the limit is for a busy one.
    [Test]
    public void Kernel_prints_its_banner_and_the_memory_map()
    {
        VmmOutput run = VmmProcess.Run(
            "run", "--kernel", _kernel, "--memory", "512M", "--cmdline", "console=ttyS0 earlyprintk=ttyS0 nokaslr", "--timeout", "600s");

        run.Out.Should().ContainAll("Linux version", "cloud-amd64", "BIOS-provided physical RAM map", "usable");
        if (KvmDoctor.Examine(measure: false).Virtualization == HostVirtualization.Pvm)
        {
            run.ExitCode.Should().Be(86, run.Error);
            run.Error.Should().ContainAll("emulation failure", "bytes:", "instruction:", "does not know `", "try:");
        }
    }
}
