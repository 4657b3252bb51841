// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Running guests of a few bytes, and everything that makes a run return.</summary>
[TestFixture]
public sealed class KvmVcpuFdRunTests : KvmFixture
{
    // jmp $
    private static readonly byte[] s_spin = [0xeb, 0xfe];

    [Test]
    public void Halt_leaves_the_guest_behind_the_instruction()
    {
        Load(0xf4);

        Run().Should().Be(KvmExitReason.Hlt);

        Vcpu.GetRegs(out KvmRegs registers);
        registers.Rip.Should().Be(CodeAddress + 1);
    }

    [Test]
    public void Port_write_shows_port_size_and_data()
    {
        // mov al, 0x42; out 0x10, al
        Load(0xb0, 0x42, 0xe6, 0x10);

        Run().Should().Be(KvmExitReason.Io);

        KvmRunIo io = Vcpu.Page.Run.Io;
        io.Direction.Should().Be((byte)KvmIoDirection.Out);
        io.Port.Should().Be(0x10);
        io.Size.Should().Be(1);
        io.Count.Should().Be(1);
        Vcpu.Page.TryGetIoData(out Span<byte> data).Should().BeTrue();
        data.ToArray().Should().Equal(0x42);
    }

    [Test]
    public void Port_read_takes_the_data_of_the_page()
    {
        // in ax, 0x11; hlt
        Load(0xe5, 0x11, 0xf4);

        Run().Should().Be(KvmExitReason.Io);
        Vcpu.Page.TryGetIoData(out Span<byte> data).Should().BeTrue();
        data[0] = 0xcd;
        data[1] = 0xab;
        Run().Should().Be(KvmExitReason.Hlt);

        Vcpu.GetRegs(out KvmRegs registers);
        registers.Rax.Should().Be(0xabcd);
    }

    [Test]
    public void Io_window_outside_the_mapping_is_not_handed_out()
    {
        Vcpu.Page.Run.Io = new KvmRunIo { Size = 1, Count = 1, DataOffset = Vcpu.Page.Length };
        bool behind = Vcpu.Page.TryGetIoData(out _);
        Vcpu.Page.Run.Io = new KvmRunIo { Size = 8, Count = uint.MaxValue, DataOffset = 0x1000 };
        bool tooLong = Vcpu.Page.TryGetIoData(out _);

        behind.Should().BeFalse();
        tooLong.Should().BeFalse();
        FluentActions.Invoking(() => Vcpu.Page.Window((int)Vcpu.Page.Length - 1, 2).Length)
            .Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Vcpu.Page.CoalescedRing(4096)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Immediate_exit_returns_before_the_guest_runs()
    {
        Load(s_spin);
        Vcpu.Page.RequestImmediateExit();
        using KvmVcpuSession session = Vcpu.OpenSession();

        int result = session.Run();
        Vcpu.Page.ClearImmediateExit();

        result.Should().Be((int)VmmError.EINTR);
        Vcpu.GetRegs(out KvmRegs registers);
        registers.Rip.Should().Be(CodeAddress);
    }

    [Test]
    public void Signal_of_the_run_mask_ends_a_run_and_is_consumed_afterwards()
    {
        const int Signal = 40;
        Load(s_spin);
        ulong mask = Signals.Block(Signal);
        Signals.Ignore(Signal);
        Vcpu.SetSignalMask(mask & ~SignalSet.KernelBit(Signal));

        Signals.Send(LibC.gettid(), Signal).Should().BeTrue();
        int result;
        using (KvmVcpuSession session = Vcpu.OpenSession())
        {
            result = session.Run();
        }

        bool pending = Signals.Consume(Signal);
        bool again = Signals.Consume(Signal);
        Signals.Restore(mask);
        Vcpu.SetSignalMask(null);

        result.Should().Be((int)VmmError.EINTR);
        pending.Should().BeTrue();
        again.Should().BeFalse();
        Signals.Mask().Should().Be(mask);
    }

    [Test]
    public void Signal_to_a_thread_that_is_gone_is_reported()
    {
        int id = 0;
        Thread thread = new(() => id = LibC.gettid());
        thread.Start();
        thread.Join();

        // The kernel removes the thread a moment after Join returns; what counts is that no exception is thrown.
        FluentActions.Invoking(() => Signals.Send(id, 40)).Should().NotThrow();
    }

    [Test]
    public void External_interrupt_is_delivered_to_the_guest()
    {
        // sti; nop; hlt at the code, cli; hlt at 0x2000, where vector 0x20 leads.
        Load(0xfb, 0x90, 0xf4);
        new byte[] { 0xfa, 0xf4 }.CopyTo(Memory.Slice(0x2000, 2));
        new byte[] { 0x00, 0x20, 0x00, 0x00 }.CopyTo(Memory.Slice(0x20 * 4, 4));
        Run().Should().Be(KvmExitReason.Hlt);
        Vcpu.Page.Run.ReadyForInterruptInjection.Should().Be(1);

        Vcpu.Interrupt(0x20);
        Run().Should().Be(KvmExitReason.Hlt);

        Vcpu.GetRegs(out KvmRegs registers);
        registers.Rip.Should().Be(0x2002);
    }

    [Test]
    public void Interrupt_window_opens_when_the_guest_allows_interrupts()
    {
        // sti; nop; jmp $
        Load(0xfb, 0x90, 0xeb, 0xfe);
        Vcpu.Page.Run.RequestInterruptWindow = 1;

        Run().Should().Be(KvmExitReason.IrqWindowOpen);

        Vcpu.Page.Run.IfFlag.Should().Be(1);
        Vcpu.Page.Run.RequestInterruptWindow = 0;
    }

    [Test]
    public void Single_step_stops_behind_one_instruction()
    {
        KvmRequirement.Require(System, KvmCapability.SetGuestDebug);
        Load(0x90, 0x90, 0xf4);

        Vcpu.SetGuestDebug(new KvmGuestDebug
        {
            Control = (uint)(KvmGuestDebugFlags.Enable | KvmGuestDebugFlags.Singlestep),
        });
        KvmExitReason reason = Run();
        ulong stopped = Vcpu.Page.Run.Debug.Pc;
        Vcpu.SetGuestDebug(default);

        reason.Should().Be(KvmExitReason.Debug);
        stopped.Should().Be(CodeAddress + 1);
        Run().Should().Be(KvmExitReason.Hlt);
    }

    [Test]
    public void Synced_registers_travel_through_the_page()
    {
        KvmRequirement.Require(System, KvmCapability.SyncRegs);
        Load(0xf4);
        Vcpu.Page.Run.ValidRegs = (ulong)KvmSyncFields.Regs;
        Vcpu.Page.Run.SyncRegs.Regs = new KvmRegs { Rip = CodeAddress, Rflags = 2, Rbx = 0x1234 };
        Vcpu.Page.Run.DirtyRegs = (ulong)KvmSyncFields.Regs;

        Run().Should().Be(KvmExitReason.Hlt);

        Vcpu.Page.Run.SyncRegs.Regs.Rbx.Should().Be(0x1234);
        Vcpu.Page.Run.SyncRegs.Regs.Rip.Should().Be(CodeAddress + 1);
        Vcpu.Page.Run.DirtyRegs.Should().Be(0);
    }

    [Test]
    public void Runs_allocate_nothing()
    {
        // out 0x10, al; jmp back
        Load(0xe6, 0x10, 0xeb, 0xfc);
        Run().Should().Be(KvmExitReason.Io);
        using KvmVcpuSession session = Vcpu.OpenSession();
        _ = session.Run();

        long before = GC.GetAllocatedBytesForCurrentThread();
        int failures = 0;
        for (int count = 0; count < 100; count++)
        {
            failures += session.Run();
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        failures.Should().Be(0);
    }
}
