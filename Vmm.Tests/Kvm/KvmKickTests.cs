// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>Kicks from other threads: none is lost, and a late one costs one immediate return.</summary>
[Category("Kvm")]
internal sealed class KvmKickTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Test]
    public void Ten_thousand_kicks_of_a_spinning_guest_all_arrive_under_garbage_collection()
    {
        const int Kicks = 10_000;
        const int Kickers = 2;
        using KvmGuest guest = KvmGuest.LongMode([0xeb, 0xfe]); // jmp $
        using CancellationTokenSource stop = new();
        SemaphoreSlim[] turns = [new(1), new(0)];
        Thread collector = new(() => MakeGarbage(stop.Token));
        Thread[] kickers =
        [
            .. Enumerable.Range(0, Kickers).Select(me => new Thread(() =>
            {
                for (int i = 0; i < Kicks / Kickers && turns[me].Wait(Patience); i++)
                {
                    guest.Cpu.Kick();
                }
            })),
        ];
        collector.Start();
        Array.ForEach(kickers, kicker => kicker.Start());

        VmExit exit = default;
        int arrived = 0;
        guest.Cpu.BeginRun();
        for (int i = 0; i < Kicks; i++)
        {
            // A lost kick would leave the guest spinning for ever: the next one waits for this return.
            guest.Cpu.Run(ref exit);
            arrived += exit.Code == ExitCode.Bogus ? 1 : 0;
            turns[(i + 1) % Kickers].Release();
        }

        guest.Cpu.EndRun();
        stop.Cancel();
        kickers.Append(collector).Should().OnlyContain(thread => thread.Join(Patience));
        arrived.Should().Be(Kicks);
        Array.ForEach(turns, turn => turn.Dispose());
    }

    [Test]
    public void A_kick_after_an_exit_causes_one_immediate_return()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xe6, 0x42, 0xe6, 0x43, 0xf4]); // out 0x42,al; out 0x43,al; hlt
        VmExit exit = default;
        guest.Cpu.BeginRun();
        guest.Cpu.Run(ref exit);
        exit.Port.Port.Should().Be(0x42);
        guest.Cpu.Fulfill();
        guest.Cpu.Kick();
        guest.Cpu.Kick();

        guest.Cpu.Run(ref exit);
        exit.Code.Should().Be(ExitCode.Bogus);
        guest.Cpu.Run(ref exit);
        exit.Port.Port.Should().Be(0x43, "the second kick collapsed into the first");
        guest.Cpu.EndRun();
    }

    [Test]
    public void A_kick_between_runs_of_different_threads_is_kept()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xeb, 0xfe]); // jmp $
        guest.Cpu.Kick();
        VmExit exit = default;
        Thread other = new(() =>
        {
            guest.Cpu.BeginRun();
            guest.Cpu.Run(ref exit);
            guest.Cpu.EndRun();
        });
        other.Start();

        other.Join(Patience).Should().BeTrue();
        exit.Code.Should().Be(ExitCode.Bogus);
    }

    [Test]
    public void Runs_leave_the_threads_signal_mask_as_it_was()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xe6, 0x42, 0xf4]); // out 0x42,al; hlt
        ulong before = Vmm.Kvm.Interop.Signals.Mask();

        guest.Run();
        guest.Cpu.Kick();

        Vmm.Kvm.Interop.Signals.Mask().Should().Be(before);
    }

    [Test]
    public void A_kick_of_a_disposed_vcpu_does_nothing()
    {
        KvmGuest guest = KvmGuest.LongMode([0xf4]);
        guest.Dispose();

        guest.Invoking(disposed => disposed.Cpu.Kick()).Should().NotThrow();
    }

    [Test]
    public void A_kick_does_not_disturb_the_completion_of_an_answer()
    {
        using KvmGuest guest = KvmGuest.LongMode([0xe4, 0x42, 0xeb, 0xfe]); // in al,0x42; jmp $
        guest.Run().Port.IsIn.Should().BeTrue();
        guest.Cpu.Fulfill(0x33);
        guest.Cpu.Kick();
        guest.Complete().Should().BeTrue();

        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x33);
        VmExit exit = default;
        guest.Cpu.BeginRun();
        guest.Cpu.Run(ref exit);
        guest.Cpu.EndRun();
        exit.Code.Should().Be(ExitCode.Bogus, "the kick was not used up by the completion");
    }

    /// <summary>
    /// Suspends all threads again and again. Most collections are young ones: a full one takes as long as everything that other tests
    /// keep alive, and kicks would wait for hardly anything else.
    /// </summary>
    private static void MakeGarbage(CancellationToken stop)
    {
        const int FullEvery = 256;
        List<byte[]> keep = [];
        int collections = 0;
        while (!stop.IsCancellationRequested)
        {
            keep.Add(new byte[4096]);
            if (keep.Count == 256)
            {
                keep.Clear();
                GC.Collect(++collections % FullEvery == 0 ? GC.MaxGeneration : 0);
            }
        }
    }
}
