// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Tests.Support;

/// <summary>Does something as a user who may keep only a little memory in.</summary>
internal static partial class MemoryLockLimit
{
    private const int IpcLock = 14;
    private const int MemoryLock = 8;
    private const uint CapabilityVersion = 0x20080522;

    /// <summary>Bytes that such a user may keep in.</summary>
    public static ulong Value
    {
        get
        {
            getrlimit(MemoryLock, out Limit limit).Should().Be(0);
            return limit.Soft;
        }
    }

    /// <summary>Does it on a thread that has given up the privilege to keep any amount in.</summary>
    public static void Without(Action action) => Background.Start(() =>
    {
        CapabilityHeader header = new() { Version = CapabilityVersion };
        Span<CapabilitySets> sets = stackalloc CapabilitySets[2];
        capget(ref header, ref MemoryMarshal.GetReference(sets)).Should().Be(0);
        sets[0].Effective &= ~(1u << IpcLock);
        capset(ref header, ref MemoryMarshal.GetReference(sets)).Should().Be(0);
        action();
    }).Join();

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, out Limit limit);

    [LibraryImport("libc")]
    private static partial int capget(ref CapabilityHeader header, ref CapabilitySets sets);

    [LibraryImport("libc")]
    private static partial int capset(ref CapabilityHeader header, ref CapabilitySets sets);

    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }

    private struct CapabilityHeader
    {
        public uint Version;
        public int Pid;
    }

    private struct CapabilitySets
    {
        public uint Effective;
        public uint Permitted;
        public uint Inheritable;
    }
}
