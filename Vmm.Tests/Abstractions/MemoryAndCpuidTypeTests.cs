// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Abstractions;

/// <summary>The life of memory blocks, and CPUID configurations.</summary>
public sealed class MemoryAndCpuidTypeTests
{
    [Test]
    public void Block_is_freed_with_its_last_reference()
    {
        FakeMemoryBlock block = new(4096, default);
        block.TryAddReference().Should().BeTrue();

        block.Dispose();
        block.Dispose();
        block.Frees.Should().Be(0, "one reference is left, and the creator's goes once");
        block.GetSpan(0, 1).Length.Should().Be(1);
        block.ReleaseReference();

        block.Frees.Should().Be(1);
        block.TryAddReference().Should().BeFalse("nothing comes back from the dead");
    }

    [Test]
    public void Block_is_freed_once_whoever_lets_go_last()
    {
        for (int round = 0; round < 50; round++)
        {
            FakeMemoryBlock block = new(4096, default);
            List<Background> users = [.. Enumerable.Range(0, 3).Select(_ => Background.Start(() =>
            {
                while (block.TryAddReference())
                {
                    block.GetSpan(0, 16).Fill(1);
                    block.ReleaseReference();
                }
            }))];
            block.Dispose();
            users.ForEach(user => user.Join());
            block.Frees.Should().Be(1);
        }
    }

    [TestCase(0ul, 4096, true)]
    [TestCase(4096ul, 0, true)]
    [TestCase(4095ul, 1, true)]
    [TestCase(4095ul, 2, false)]
    [TestCase(4097ul, 0, false)]
    [TestCase(ulong.MaxValue, 1, false)]
    [TestCase(ulong.MaxValue, int.MaxValue, false)]
    [TestCase(0ul, -1, false)]
    public void Span_is_within_the_block(ulong offset, int length, bool valid)
    {
        using FakeMemoryBlock block = new(4096, default);
        Action get = () => block.GetSpan(offset, length);

        if (valid)
        {
            get.Should().NotThrow();
        }
        else
        {
            get.Should().Throw<ArgumentOutOfRangeException>();
        }
    }

    [Test]
    public void Hold_needs_a_block()
    {
        Action create = () => _ = new GuestMemoryHold(null!, default);

        create.Should().Throw<ArgumentNullException>();
    }

    [Test]
    public void Cpuid_configuration_has_at_most_256_entries()
    {
        Action large = () => CpuidConfiguration.Create(CpuidFlags.None, new CpuidEntry[257]);
        large.ShouldFail(VmmError.EINVAL);
        CpuidConfiguration.Create(CpuidFlags.IntelFallback, new CpuidEntry[256]).Entries.Should().HaveCount(256);
    }

    [Test]
    [Proves("vcpu_cpuid_init")]
    public void Cpuid_configuration_refuses_unknown_flags_and_legacy_entries()
    {
        Action unknown = () => CpuidConfiguration.Create((CpuidFlags)4, []);
        unknown.ShouldFail(VmmError.EINVAL);
        Action legacy = () => CpuidConfiguration.Create(CpuidFlags.LegacyHandling, new CpuidEntry[1]);
        legacy.ShouldFail(VmmError.EINVAL);
        CpuidConfiguration.Create(CpuidFlags.LegacyHandling | CpuidFlags.IntelFallback, []).Flags
            .Should().Be(CpuidFlags.LegacyHandling | CpuidFlags.IntelFallback);
        CpuidConfiguration.Legacy.Entries.Should().BeEmpty();
    }

    [Test]
    public void Cpuid_configuration_is_a_private_copy_in_the_given_order()
    {
        CpuidEntry[] entries = [new(7, 0, true, 1, 0, 0, 0), new(1, 0, false, 2, 0, 0, 0), new(7, 0, true, 3, 0, 0, 0)];
        CpuidConfiguration configuration = CpuidConfiguration.Create(CpuidFlags.None, entries);
        entries[0] = default;

        configuration.Entries.Select(entry => entry.Eax).Should().Equal(1, 2, 3);
    }
}
