// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Host-side access to guest memory.</summary>
public sealed class GuestMemoryTests : EngineFixture
{
    private const ulong LastPage = 0x3fff_ffff_f000;

    private IGuestMemory Memory => Machine.Memory;

    [Test]
    [Proves("vm_get_vmspace")]
    public void Copy_spans_adjoining_mappings_of_different_segments()
    {
        Map(0x1000, Page, 0);
        Map(0x2000, Page, 1);
        Map(0x3000, Page, 2);
        byte[] data = [.. Enumerable.Range(0, (int)(2 * Page)).Select(i => (byte)(i * 7))];

        Memory.TryWrite(At(0x1800), data).Should().BeTrue();

        byte[] back = new byte[data.Length];
        Memory.TryRead(At(0x1800), back).Should().BeTrue();
        back.Should().Equal(data);
        Backend.Blocks[1].GetSpan(0, (int)Page).SequenceEqual(data.AsSpan(0x800, (int)Page)).Should().BeTrue();
    }

    [Test]
    public void Copy_into_a_hole_does_nothing()
    {
        Map(0x1000, Page, 0);
        Map(0x3000, Page, 1);
        byte[] read = [.. Enumerable.Repeat((byte)9, 0x1001)];

        Memory.TryWrite(At(0x1800), read).Should().BeFalse();
        Backend.Blocks[0].GetSpan(0, (int)Page).ContainsAnyExcept((byte)0).Should().BeFalse();
        Memory.TryRead(At(0x1800), read).Should().BeFalse();
        read.Should().OnlyContain(value => value == 9, "the destination of a refused read is untouched");
    }

    [Test]
    public void Protection_of_the_mapping_holds_for_every_byte()
    {
        Map(0x1000, Page, 0);
        Map(0x2000, Page, 1, MemoryProtection.ReadExecute);
        Map(0x3000, Page, 2, MemoryProtection.Execute);
        byte[] bytes = new byte[16];

        Memory.TryRead(At(0x1ff8), bytes).Should().BeTrue();
        Memory.TryWrite(At(0x1ff8), bytes).Should().BeFalse();
        Memory.TryRead(At(0x2ff8), bytes).Should().BeFalse();
        Memory.TryHold(At(0x2000), 1, MemoryProtection.Read, out GuestMemoryHold hold).Should().BeTrue();
        hold.Dispose();
        Memory.TryHold(At(0x2000), 1, MemoryProtection.ReadWrite, out _).Should().BeFalse();
        Memory.TryCompareExchange(At(0x2000), 0u, 1u, out _).Should().BeFalse();
    }

    [Test]
    public void Access_is_bounded_at_the_top_of_the_address_space()
    {
        Map(LastPage, Page);
        byte[] bytes = new byte[16];

        Memory.TryRead(At(LastPage + Page - 16), bytes).Should().BeTrue();
        Memory.TryRead(At(LastPage + Page - 15), bytes).Should().BeFalse();
        Memory.TryRead(At(ulong.MaxValue), bytes).Should().BeFalse();
        Memory.TryWrite(At(ulong.MaxValue - 15), bytes).Should().BeFalse();
        Memory.TryHold(At(ulong.MaxValue), int.MaxValue, MemoryProtection.Read, out _).Should().BeFalse();
        Memory.TryHold(At(LastPage), (int)Page, MemoryProtection.Read, out GuestMemoryHold hold).Should().BeTrue();
        hold.Dispose();
        Memory.TryHold(At(LastPage), (int)Page + 1, MemoryProtection.Read, out _).Should().BeFalse();
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(int.MinValue)]
    public void Hold_of_no_bytes_is_refused(int length)
    {
        Map(0, Page);

        Memory.TryHold(At(0), length, MemoryProtection.Read, out _).Should().BeFalse();
    }

    [Test]
    public void Empty_copy_succeeds_anywhere()
    {
        Memory.TryRead(At(0x1234), []).Should().BeTrue();
        Memory.TryWrite(At(ulong.MaxValue), []).Should().BeTrue();
    }

    [Test]
    [Proves("vm_get_vmclient")]
    public void Hold_stays_within_one_mapping()
    {
        Map(0x1000, Page, 0);
        Map(0x2000, Page, 1);

        Memory.TryHold(At(0x1ff0), 16, MemoryProtection.Read, out GuestMemoryHold hold).Should().BeTrue();
        hold.Bytes.Length.Should().Be(16);
        hold.Dispose();
        Memory.TryHold(At(0x1ff0), 17, MemoryProtection.Read, out _).Should().BeFalse();
    }

    [Test]
    public void Hold_survives_unmapping_and_freeing()
    {
        Map(0x1000, Page);
        Memory.TryHold(At(0x1000), 16, MemoryProtection.ReadWrite, out GuestMemoryHold hold).Should().BeTrue();

        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.MemoryMap.Unmap(freeze, At(0x1000), Page);
            Machine.MemoryMap.FreeSegment(freeze, new SegmentId(0));
        }

        Backend.Blocks[0].Frees.Should().Be(0);
        hold.Bytes.Fill(1);
        Memory.TryRead(At(0x1000), new byte[1]).Should().BeFalse("the mapping is gone for everybody else");
        hold.Dispose();
        Backend.Blocks[0].Frees.Should().Be(1);
    }

    [Test]
    public void Hold_survives_the_VM()
    {
        Map(0x1000, Page);
        Memory.TryHold(At(0x1000), 16, MemoryProtection.ReadWrite, out GuestMemoryHold hold).Should().BeTrue();

        Machine.Dispose();

        hold.Bytes.Fill(1);
        Backend.Blocks[0].Frees.Should().Be(0);
        hold.Dispose();
        Backend.Blocks[0].Frees.Should().Be(1);
        Memory.TryRead(At(0x1000), new byte[1]).Should().BeFalse();
    }

    [Test]
    public void Default_hold_is_harmless()
    {
        GuestMemoryHold hold = default;

        hold.Bytes.Length.Should().Be(0);
        hold.Dispose();
    }

    [Test]
    public void Compare_exchange_stores_only_over_what_was_seen()
    {
        Map(0, Page);

        Memory.TryCompareExchange(At(8), 0u, 0x11223344u, out bool exchanged).Should().BeTrue();
        exchanged.Should().BeTrue();
        Memory.TryCompareExchange(At(8), 0u, 5u, out exchanged).Should().BeTrue();
        exchanged.Should().BeFalse();
        Memory.TryCompareExchange(At(8), 0x11223344ul, 0xaabbccdd11223344ul, out exchanged).Should().BeTrue();
        exchanged.Should().BeTrue();
        byte[] bytes = new byte[8];
        Memory.TryRead(At(8), bytes);
        MemoryMarshal.Read<ulong>(bytes).Should().Be(0xaabbccdd11223344);
    }

    [TestCase(1ul, 4)]
    [TestCase(4094ul, 4)]
    [TestCase(4ul, 8)]
    [TestCase(0x2000ul, 8)]
    public void Compare_exchange_refuses_what_is_misaligned_or_not_mapped(ulong address, int bytes)
    {
        Map(0, Page);
        bool exchanged;

        bool done = bytes == 4
            ? Memory.TryCompareExchange(At(address), 0u, 1u, out exchanged)
            : Memory.TryCompareExchange(At(address), 0ul, 1ul, out exchanged);

        done.Should().BeFalse();
        exchanged.Should().BeFalse();
    }

    [Test]
    public void Readers_see_a_mapping_whole_or_not_at_all_while_the_map_changes()
    {
        Map(0x1000, Page, 0);
        Map(0x2000, Page, 1);
        Memory.TryWrite(At(0x1000), Enumerable.Repeat((byte)7, (int)Page).ToArray());
        Memory.TryWrite(At(0x2000), Enumerable.Repeat((byte)7, (int)Page).ToArray());
        using ManualResetEventSlim stop = new();
        int reads = 0;
        Background reader = Background.Start(() =>
        {
            byte[] bytes = new byte[2 * Page];
            do
            {
                if (Memory.TryRead(At(0x1000), bytes))
                {
                    bytes.Should().OnlyContain(value => value == 7);
                }

                Interlocked.Increment(ref reads);
            }
            while (!stop.IsSet);
        });

        for (int i = 0; i < 200 || Volatile.Read(ref reads) < 20; i++)
        {
            using IVcpuFreeze freeze = Machine.FreezeVcpus();
            Machine.MemoryMap.Unmap(freeze, At(0x2000), Page);
            Machine.MemoryMap.Map(freeze, Mapping(0x2000, Page, 1));
        }

        stop.Set();
        reader.Join();
    }
}
