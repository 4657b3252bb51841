// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Kvm;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>The routine of machine code for LOCK CMPXCHG16B; it needs no <c>/dev/kvm</c>.</summary>
public sealed unsafe class WideAtomicsTests
{
    private static readonly UInt128 s_first = new(0x1122334455667788, 0x99aabbccddeeff00);
    private static readonly UInt128 s_second = new(1, 2);

    [SetUp]
    public void Require()
    {
        if (!WideAtomics.IsSupported)
        {
            Assert.Ignore("the processor or the host's policy for executable memory does not allow it");
        }
    }

    [Test]
    public void Equal_memory_is_exchanged()
    {
        using AlignedMemory memory = new(s_first);
        UInt128 expected = s_first;

        WideAtomics.CompareExchange16(ref memory.Bytes, ref expected, s_second).Should().BeTrue();

        (memory.Value == s_second).Should().BeTrue();
        (expected == s_first).Should().BeTrue();
    }

    [Test]
    public void Other_memory_is_shown_and_stays()
    {
        using AlignedMemory memory = new(s_first);
        UInt128 expected = s_second;

        WideAtomics.CompareExchange16(ref memory.Bytes, ref expected, default).Should().BeFalse();

        (memory.Value == s_first).Should().BeTrue();
        (expected == s_first).Should().BeTrue();
    }

    [Test]
    public void No_exchange_of_two_threads_is_lost()
    {
        const int Rounds = 100_000;
        using AlignedMemory memory = new(default);
        Background other = Background.Start(Count);
        Count();
        other.Join();

        (memory.Value == new UInt128(2 * Rounds, 6 * Rounds)).Should().BeTrue();

        void Count()
        {
            for (int i = 0; i < Rounds; i++)
            {
                UInt128 seen = default;
                while (!WideAtomics.CompareExchange16(ref memory.Bytes, ref seen, seen + new UInt128(1, 3)))
                {
                    // Another one was first; what it left is the next expectation.
                }
            }
        }
    }

    private sealed class AlignedMemory : IDisposable
    {
        private readonly UInt128* _address = (UInt128*)NativeMemory.AlignedAlloc(16, 16);

        public AlignedMemory(UInt128 value) => *_address = value;

        public ref byte Bytes => ref *(byte*)_address;

        public UInt128 Value => *_address;

        public void Dispose() => NativeMemory.AlignedFree(_address);
    }
}
