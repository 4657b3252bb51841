// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

/// <summary>Truncated and mutated images, from a fixed seed: refused or loaded, never anything else.</summary>
public sealed class BootFuzzTests
{
    private const int MemorySize = 24 << 20;
    private const int Rounds = 400;

    [TestCase("sample.gz")]
    [TestCase("sample.bz2")]
    [TestCase("sample.lzma")]
    [TestCase("sample-x86-crc32.xz")]
    [TestCase("sample-blocks-sha256.xz")]
    [TestCase("sample.lz4")]
    [TestCase("sample.zst")]
    [TestCase("sample.elf")]
    public void Mutated_bzImage_throws_nothing_else_and_writes_nowhere_else(string file) =>
        Mutate(KernelImages.BzImage(KernelImages.Payload(file)), seed: 1);

    [Test]
    public void Mutated_vmlinux_throws_nothing_else_and_writes_nowhere_else() => Mutate(KernelImages.Sample, seed: 2);

    private static void Mutate(byte[] valid, int seed)
    {
        Random random = new(seed);
        ArrayMemory memory = new(MemorySize);
        PcMemoryLayout layout = new(MemorySize);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] image = Mutant(valid, random);
            int writes = memory.Writes;
            try
            {
                LinuxLoader.Load(memory, layout, new LinuxBootOptions { Kernel = image, Initrd = new byte[100] });
            }
            catch (BootImageException error)
            {
                refused++;
                error.Field.Should().NotBeEmpty();
                memory.Writes.Should().Be(writes, "a refused image is not written");
            }
        }

        memory.Refused.Should().BeEmpty("no write may leave RAM");
        refused.Should().BeGreaterThan(Rounds / 20, "the mutations must matter");
    }

    // Headers are small, so half of the mutations go there.
    private static byte[] Mutant(byte[] valid, Random random)
    {
        byte[] image = valid[..(random.Next(4) == 0 ? random.Next(valid.Length) : valid.Length)];
        int count = image.Length == 0 ? 0 : random.Next(1, 6);
        for (int index = 0; index < count; index++)
        {
            int reach = random.Next(2) == 0 ? Math.Min(image.Length, 0x4c0) : image.Length;
            image[random.Next(reach)] = (byte)random.Next(256);
        }

        return image;
    }
}
