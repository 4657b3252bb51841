// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Memory mappings, eventfds and error texts, which need no KVM.</summary>
[TestFixture]
public sealed class HostInteropTests
{
    [Test]
    public void Error_numbers_have_the_names_and_texts_of_the_c_library()
    {
        LibC.ErrnoName(22).Should().Be("EINVAL");
        LibC.ErrnoText(22).Should().Be("Invalid argument");
        KvmThrow.Host("KVM_RUN", 22).Message.Should().Be("KVM_RUN failed: EINVAL: Invalid argument");
        KvmThrow.Host("KVM_RUN", 71).Message.Should().Contain("EPROTO (Protocol error)");
    }

    [Test]
    public void Missing_capability_is_named()
    {
        KvmMissingCapabilityException refusal = KvmThrow.Missing("KVM_SMI", KvmCapability.X86Smm);

        refusal.Message.Should().Be("KVM_SMI failed: ENOTSUP: this host's KVM lacks KVM_CAP_X86_SMM");
        refusal.Error.Should().Be(VmmError.ENOTSUP);
        refusal.Capability.Should().Be(KvmCapability.X86Smm);
    }

    [TestCase(0UL)]
    [TestCase(1UL)]
    [TestCase(4095UL)]
    [TestCase(ulong.MaxValue)]
    public void Length_that_is_not_in_pages_is_the_caller_s_mistake(ulong length)
    {
        FluentActions.Invoking(() => MemoryMapping.Create(length).Dispose()).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Memory_beyond_the_address_space_is_refused_with_a_hint()
    {
        Action create = () => MemoryMapping.Create(1UL << 62).Dispose();

        VmmException refusal = create.Should().Throw<VmmException>().Which;
        refusal.Error.Should().Be(VmmError.ENOMEM);
        refusal.Message.Should().Contain("address space");
    }

    [Test]
    public void New_memory_is_zero_and_keeps_what_is_written()
    {
        using MemoryMapping memory = MemoryMapping.Create(0x3000);

        bool zero = memory.Slice(0, 0x3000).IndexOfAnyExcept((byte)0) < 0;
        memory.Slice(0x2fff, 1)[0] = 7;

        zero.Should().BeTrue();
        memory.Slice(0x2ffe, 2).ToArray().Should().Equal(0, 7);
    }

    [TestCase(0x3000UL, 1)]
    [TestCase(0x2fffUL, 2)]
    [TestCase(ulong.MaxValue, 1)]
    [TestCase(0UL, -1)]
    public void Slice_outside_the_memory_is_refused(ulong offset, int length)
    {
        using MemoryMapping memory = MemoryMapping.Create(0x3000);

        FluentActions.Invoking(() => memory.Slice(offset, length).Length).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Memory_behind_a_memfd_is_shared_sealed_and_closed_on_exec()
    {
        using MemoryMapping memory = MemoryMapping.Create(
            0x1000, new MemoryMappingOptions { MemfdName = "vmm-test", SealSize = true });
        memory.Slice(0, 1)[0] = 0x5a;
        int fd = memory.Memfd!.Number;

        using FileStream file = File.OpenRead($"/proc/self/fd/{fd}");

        file.Length.Should().Be(0x1000);
        file.ReadByte().Should().Be(0x5a);
        LibC.fcntl(fd, LibC.F_GETFD, 0).Should().Be(LibC.FD_CLOEXEC);
        LibC.fcntl(fd, LibC.F_GET_SEALS, 0).Should().Be(LibC.F_SEAL_GROW | LibC.F_SEAL_SHRINK | LibC.F_SEAL_SEAL);
        LibC.ftruncate(fd, 0x2000).Should().Be(-1);
    }

    [Test]
    public void Disposed_memory_is_unmapped_with_its_memfd()
    {
        MemoryMapping memory = MemoryMapping.Create(0x1000, new MemoryMappingOptions { MemfdName = "vmm-unmapped" });
        bool mapped = IsMapped("vmm-unmapped");

        memory.Dispose();
        memory.Dispose();

        mapped.Should().BeTrue();
        IsMapped("vmm-unmapped").Should().BeFalse();
        memory.Memfd!.IsClosed.Should().BeTrue();
    }

    [Test]
    public void Advice_and_wiring_show_in_the_kernel_s_flags()
    {
        MemoryMappingOptions options = new()
        {
            MemfdName = "vmm-flags",
            Wired = true,
            NotInCoreDumps = true,
        };
        using MemoryMapping memory = MemoryMapping.Create(0x1000, options);

        string[] flags = VmFlags("vmm-flags");

        // proc(5): dc = do not copy on fork, dd = do not include in dumps, lo = locked.
        flags.Should().Contain(["dc", "dd", "lo"]);
    }

    [Test]
    public void Huge_page_advice_shows_in_the_kernel_s_flags_where_there_are_huge_pages()
    {
        if (!Directory.Exists("/sys/kernel/mm/transparent_hugepage"))
        {
            Assert.Ignore("this kernel has no transparent huge pages");
        }

        using MemoryMapping memory = MemoryMapping.Create(
            0x20_0000, new MemoryMappingOptions { MemfdName = "vmm-huge", HugePageAdvice = true });

        VmFlags("vmm-huge").Should().Contain("hg");
    }

    [Test]
    public void Reserved_huge_pages_need_a_pool()
    {
        Action create = () => MemoryMapping.Create(
            0x1000, new MemoryMappingOptions { MemfdName = "vmm-pool", ReservedHugePages = true }).Dispose();

        create.Should().Throw<VmmException>();
    }

    [Test]
    public void Eventfd_counts_signals_until_they_are_taken()
    {
        using EventFd signal = EventFd.Create();
        signal.Signal();
        signal.Signal(2);

        signal.Take().Should().Be(3);
        signal.Take().Should().Be(0);
    }

    [TestCase(0)]
    [TestCase(65)]
    public void Signal_outside_the_kernel_s_set_is_the_caller_s_mistake(int signal)
    {
        FluentActions.Invoking(() => SignalSet.Of(signal)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Device_that_is_not_kvm_is_refused()
    {
        FluentActions.Invoking(() => KvmSystemFd.Open("/dev/null").Dispose())
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.ENOTTY);
    }

    [Test]
    public void Request_code_composes_direction_size_type_and_number()
    {
        IoctlCode.Encode(IoctlCode.Write, 0x46, 32).Should().Be(0x4020_ae46);
        IoctlCode.Encode(IoctlCode.Read | IoctlCode.Write, 0x05, 8).Should().Be(0xc008_ae05);
        IoctlCode.Encode(IoctlCode.None, 0x71, 32).Should().Be(0x0000_ae71);
        FluentActions.Invoking(() => IoctlCode.Encode(IoctlCode.Read, 0, 16384)).Should().Throw<ArgumentException>();
    }

    private static bool IsMapped(string name) =>
        File.ReadLines("/proc/self/maps").Any(line => line.Contains(name, StringComparison.Ordinal));

    private static string[] VmFlags(string name) =>
        File.ReadLines("/proc/self/smaps")
            .SkipWhile(line => !line.Contains(name, StringComparison.Ordinal))
            .First(line => line.StartsWith("VmFlags:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..];
}
