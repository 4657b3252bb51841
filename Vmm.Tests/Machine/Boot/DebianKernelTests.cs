// SPDX-License-Identifier: BSD-2-Clause

using System.Security.Cryptography;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

/// <summary>Debian's own cloud kernel, where it is at hand.</summary>
[Category("Debian")]
public sealed class DebianKernelTests
{
    private const int MemorySize = 256 << 20;

    private byte[] _image = [];

    [OneTimeSetUp]
    public void FindKernel()
    {
        string? path = Environment.GetEnvironmentVariable("VMM_DEBIAN_KERNEL");
        path ??= Directory.Exists("/boot") ? Directory.GetFiles("/boot", "vmlinuz-*-cloud-amd64").Max() : null;
        if (path is null)
        {
            Assert.Ignore(
                "No Debian cloud kernel. Run 'apt-get install linux-image-cloud-amd64', or set VMM_DEBIAN_KERNEL to the vmlinuz "
                + "that 'dpkg -x' takes out of what this downloads: apt-get download "
                + "$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/{print $2; exit}')");
        }

        _image = File.ReadAllBytes(path);
    }

    [Test]
    public void Kernel_is_unpacked_by_the_host_and_entered_where_it_is_linked()
    {
        ArrayMemory memory = new(MemorySize);

        LinuxBootResult result = LinuxLoader.Load(
            memory, new PcMemoryLayout(MemorySize), new LinuxBootOptions { Kernel = _image, CommandLine = "console=ttyS0" });

        result.Entry.Should().Be(KernelEntry.UnpackedByHost);
        result.KernelVersion.Should().Contain("cloud-amd64");
        result.State.Rip.Should().Be(0x100_0000, "CONFIG_PHYSICAL_START is the default");
        memory.At(result.State.Rip, 64).IndexOfAnyExcept((byte)0).Should().BeGreaterThanOrEqualTo(0);
        memory.Refused.Should().BeEmpty();
    }

    [Test]
    public void Kernel_is_entered_at_its_own_unpacker_when_asked()
    {
        ArrayMemory memory = new(MemorySize);

        LinuxBootResult result = LinuxLoader.Load(
            memory, new PcMemoryLayout(MemorySize), new LinuxBootOptions { Kernel = _image, Unpacking = KernelUnpacking.Guest });

        result.State.Rip.Should().Be(0x100_0200);
        SetupHeader header = SetupHeader.Parse(_image);
        SHA256.HashData(memory.At(0x100_0000, header.ProtectedMode.Length)).Should().Equal(SHA256.HashData(header.ProtectedMode.Span));
    }

    [TestCase(0.25)]
    [TestCase(0.5)]
    [TestCase(0.99)]
    public void Truncated_kernel_is_refused(double part)
    {
        ArrayMemory memory = new(MemorySize);
        byte[] image = _image[..(int)(_image.Length * part)];

        Action load = () => LinuxLoader.Load(memory, new PcMemoryLayout(MemorySize), new LinuxBootOptions { Kernel = image });

        load.Should().Throw<BootImageException>().Which.Field.Should().Be("syssize");
        memory.Writes.Should().Be(0);
    }
}
