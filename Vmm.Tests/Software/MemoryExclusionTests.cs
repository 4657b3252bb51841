// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>Whoever wants memory for himself gets it from a vCPU that executes, and the vCPU follows what he did.</summary>
internal sealed class MemoryExclusionTests
{
    private const ulong Pages = BackendGuest.MemoryLength >> 12;
    private const int CounterPage = 9;

    /// <summary>
    /// A vCPU that waits for its turn at a locked access has let others take over which pages were written, and notes its next writes anew.
    /// </summary>
    [Test]
    public void Writes_behind_a_locked_access_across_pages_are_recorded()
    {
        const int Rounds = 2000;
        using BackendGuest guest = new(new SoftwareBackend(), tracksWrites: true);
        guest.BeginRealMode(LockThenCount());
        bool stops = false;
        Background run = Background.Start(() =>
        {
            VmExit exit = default;
            while (!Volatile.Read(ref stops))
            {
                guest.Cpu.Run(ref exit);
            }
        });
        int lost = 0;
        for (int round = 0; round < Rounds; round++)
        {
            Drain(guest);
            uint before = Counter(guest);
            Background.Until(() => Counter(guest) != before);
            lost += (Drain(guest) >> CounterPage & 1) == 0 ? 1 : 0;
        }

        Volatile.Write(ref stops, true);
        run.Join();
        lost.Should().Be(0);
    }

    [Test]
    public void A_checkpoint_may_take_over_which_pages_were_written()
    {
        List<ulong> seen = [];
        BackendGuest? guest = null;
        InstructionTime time = new(new ManualClock(), seed: 1)
        {
            CheckpointInterval = 100,
            Checkpoint = _ => seen.Add(Drain(guest!)),
        };
        using (guest = new BackendGuest(new SoftwareBackend(new SoftwareBackendOptions { Time = time }), tracksWrites: true, cpus: 1))
        {
            // L: inc dword [0x9000]; jmp L
            guest.BeginRealMode([0x66, 0xff, 0x06, 0x00, 0x90, 0xeb, 0xf9]);
            Background run = Background.Start(() =>
            {
                VmExit exit = default;
                while (seen.Count < 5)
                {
                    guest.Cpu.Run(ref exit);
                }
            });

            run.Join();
        }

        seen.Should().OnlyContain(written => (written >> CounterPage & 1) == 1);
    }

    [Test]
    public void A_deadline_may_take_over_which_pages_were_written()
    {
        ManualClock clock = new();
        using BackendGuest guest = new(
            new SoftwareBackend(new SoftwareBackendOptions { Time = new InstructionTime(clock, seed: 1) }), tracksWrites: true, cpus: 1);
        guest.BeginRealMode([0x66, 0xff, 0x06, 0x00, 0x90, 0xeb, 0xf9]);
        ulong seen = 0;
        clock.Deadlines.Arm(clock.Deadlines.Create(new Handler(() => seen = Drain(guest)), timer: 0), due: 500);
        Background run = Background.Start(() =>
        {
            VmExit exit = default;
            while (seen == 0)
            {
                guest.Cpu.Run(ref exit);
            }
        });

        run.Join();

        (seen >> CounterPage & 1).Should().Be(1);
    }

    /// <summary>L: lock inc dword [0x5ffe]; 300 times inc dword [0x9000]; jmp L.</summary>
    private static byte[] LockThenCount()
    {
        byte[] count = [0x66, 0xff, 0x06, 0x00, 0x90];
        List<byte> code = [0xf0, 0x66, 0xff, 0x06, 0xfe, 0x5f];
        for (int n = 0; n < 300; n++)
        {
            code.AddRange(count);
        }

        int distance = -(code.Count + 3);
        code.AddRange([0xe9, (byte)distance, (byte)(distance >> 8)]);
        return [.. code];
    }

    private static uint Counter(BackendGuest guest) =>
        Volatile.Read(ref MemoryMarshal.AsRef<uint>(guest.MemoryAt(CounterPage << 12, sizeof(uint))));

    /// <summary>Which of the first 64 pages were written.</summary>
    private static ulong Drain(BackendGuest guest)
    {
        ulong[] bits = new ulong[Pages / 64];
        guest.WrittenPages.Drain(0, Pages, bits);
        return bits[0];
    }

    private sealed class Handler(Action due) : IDeadlineHandler
    {
        public void DeadlineReached(int timer, long now) => due();
    }
}
