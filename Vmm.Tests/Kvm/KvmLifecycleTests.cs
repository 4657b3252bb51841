// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>Nothing is left behind: descriptors, mappings, threads and memory over many lives of a VM.</summary>
[Category("Kvm")]
[NonParallelizable]
internal sealed class KvmLifecycleTests
{
    private const long BytesALifeMayKeep = 4096;

    /// <summary>What the collector may hold on to besides, whatever the number of lives.</summary>
    private const long CollectorSlack = 16 << 20;

    [Test]
    public void Two_hundred_lives_leave_nothing_behind() => Live(200);

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Ten_thousand_lives_leave_nothing_behind() => Live(10_000);

    [Test]
    public void Dropped_vms_are_closed_by_the_collector()
    {
        Leftovers before = Leftovers.Measure();
        for (int i = 0; i < 20; i++)
        {
            Drop();
        }

        Leftovers.Measure().Should().Be(before);
    }

    [Test]
    public void A_vcpu_disposed_while_it_runs_is_closed_when_the_run_has_ended()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xe6, 0x42, 0xf4]); // out 0x42,al; hlt
        VmExit exit = default;
        guest.Cpu.BeginRun();
        guest.Cpu.Run(ref exit);

        guest.Cpu.Dispose();
        guest.Cpu.Fulfill();
        guest.Cpu.Run(ref exit);
        exit.Code.Should().Be(ExitCode.Hlt, "the descriptor stays open as long as the run does");
        guest.Cpu.EndRun();

        guest.Invoking(disposed => disposed.Cpu.BeginRun()).Should().Throw<ObjectDisposedException>();
    }

    private static void Live(int times)
    {
        // The first lives grow the runtime's own tables and the allocator's arenas.
        for (int i = 0; i < times / 4; i++)
        {
            OneLife();
        }

        Leftovers before = Leftovers.Measure();
        long residentBefore = Environment.WorkingSet;
        for (int i = 0; i < times; i++)
        {
            OneLife();
        }

        Leftovers.Measure().Should().Be(before);
        (Environment.WorkingSet - residentBefore).Should().BeLessThan(
            (times * BytesALifeMayKeep) + CollectorSlack, "a life that kept its memory would keep a page at the least");
    }

    private static void OneLife()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xe6, 0x42, 0xf4]); // out 0x42,al; hlt
        guest.Run().Code.Should().Be(ExitCode.Inout);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Drop() => KvmGuest.LongMode([0xe6, 0x42, 0xf4]).Run();

    /// <summary>What the process holds of the kernel's: KVM and memory descriptors, and mappings of guest memory.</summary>
    private sealed record Leftovers(int Descriptors, int RunPages, int GuestMemory, bool ThreadsGrew)
    {
        /// <summary>The thread pool may come and go; a thread kept by each life would show.</summary>
        private const int ThreadSlack = 16;

        private static readonly int s_threads = Directory.GetDirectories("/proc/self/task").Length;

        public static Leftovers Measure()
        {
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }

            string[] maps = File.ReadAllLines("/proc/self/maps");
            return new Leftovers(
                Directory.GetFiles("/proc/self/fd").Count(IsKvm),
                maps.Count(line => line.Contains("kvm-vcpu", StringComparison.Ordinal)),
                maps.Count(HasGuestLength),
                Directory.GetDirectories("/proc/self/task").Length > s_threads + ThreadSlack);
        }

        private static bool IsKvm(string path) =>
            File.ResolveLinkTarget(path, returnFinalTarget: false)?.Name.Contains("kvm", StringComparison.Ordinal) == true;

        /// <summary>Whether a line of the maps has the length of the guest's memory, or a multiple by merging.</summary>
        private static bool HasGuestLength(string line)
        {
            string[] ends = line.Split(' ')[0].Split('-');
            ulong length = Convert.ToUInt64(ends[1], 16) - Convert.ToUInt64(ends[0], 16);
            return length == KvmGuest.MemoryLength;
        }
    }
}
