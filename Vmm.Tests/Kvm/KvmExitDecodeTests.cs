// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>Every exit reason of the header, written into a run page by hand and decoded.</summary>
[Category("Kvm")]
internal sealed class KvmExitDecodeTests
{
    private KvmGuest _guest = null!;

    private ref KvmRun Page => ref ((KvmVcpu)_guest.Cpu).Page.Run;

    [SetUp]
    public void CreateGuest() => _guest = KvmGuest.RealMode([0xf4]);

    [TearDown]
    public void DisposeGuest() => _guest?.Dispose();

    [TestCase(KvmExitReason.Exception, ExitCode.Exception)]
    [TestCase(KvmExitReason.Hlt, ExitCode.Hlt)]
    [TestCase(KvmExitReason.IrqWindowOpen, ExitCode.InterruptWindow)]
    [TestCase(KvmExitReason.Shutdown, ExitCode.Shutdown)]
    [TestCase(KvmExitReason.Intr, ExitCode.Bogus)]
    [TestCase(KvmExitReason.SetTpr, ExitCode.SetTpr)]
    [TestCase(KvmExitReason.TprAccess, ExitCode.TprAccess)]
    [TestCase(KvmExitReason.IoapicEoi, ExitCode.IoapicEoi)]
    [TestCase(KvmExitReason.Hyperv, ExitCode.Hyperv)]
    [TestCase(KvmExitReason.DirtyRingFull, ExitCode.DirtyRingFull)]
    [TestCase(KvmExitReason.X86BusLock, ExitCode.BusLock)]
    [TestCase(KvmExitReason.Xen, ExitCode.Xen)]
    [TestCase(KvmExitReason.Notify, ExitCode.Notify)]
    public void A_reason_has_its_code_and_leaves_nothing_pending(KvmExitReason reason, ExitCode code)
    {
        Decode(reason).Code.Should().Be(code);
        _guest.Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void Reasons_without_a_code_of_their_own_come_with_number_and_raw_bytes()
    {
        KvmExitReason[] others =
        [
            KvmExitReason.Unknown, KvmExitReason.S390Sieic, KvmExitReason.S390Reset, KvmExitReason.Dcr, KvmExitReason.Nmi,
            KvmExitReason.Osi, KvmExitReason.PaprHcall, KvmExitReason.S390Ucontrol, KvmExitReason.Watchdog,
            KvmExitReason.S390Tsch, KvmExitReason.Epr, KvmExitReason.S390Stsi, KvmExitReason.ArmNisv,
            KvmExitReason.ApResetHold, KvmExitReason.RiscvSbi, KvmExitReason.RiscvCsr, KvmExitReason.LoongarchIocsr,
            KvmExitReason.Tdx, (KvmExitReason)9999,
        ];
        foreach (KvmExitReason reason in others)
        {
            Page.ExitPayload[200] = 0xa5;
            VmExit exit = Decode(reason);

            exit.Code.Should().Be(ExitCode.Unknown, $"{reason} has no code");
            exit.Hypervisor.Reason.Should().Be((ulong)reason);
            _guest.Cpu.ExitData.Length.Should().Be(256);
            _guest.Cpu.ExitData[200].Should().Be(0xa5);
        }
    }

    [Test]
    public void A_failed_entry_carries_the_hardwares_reason_and_the_cpu()
    {
        Page.FailEntry = new KvmRunFailEntry { HardwareEntryFailureReason = 0x80000021, Cpu = 3 };

        VmExit exit = Decode(KvmExitReason.FailEntry);
        exit.Code.Should().Be(ExitCode.EntryFailure);
        exit.Hypervisor.Should().Be(new HypervisorExit(0x80000021, 3));
    }

    [Test]
    public void An_emulation_failure_carries_flags_and_bytes_when_they_are_there()
    {
        Page.EmulationFailure = new KvmRunEmulationFailure { Suberror = 1, Ndata = 3, Flags = 1, InsnSize = 2 };
        Page.EmulationFailure.InsnBytes[0] = 0x0f;
        Page.EmulationFailure.InsnBytes[1] = 0xb9;

        VmExit exit = Decode(KvmExitReason.InternalError);
        exit.InstructionEmulation.Bytes.ToArray().Should().Equal(0x0f, 0xb9);
        exit.InstructionEmulation.Flags.Should().Be(1);
    }

    [Test]
    public void An_emulation_failure_without_words_carries_no_bytes()
    {
        Page.EmulationFailure = new KvmRunEmulationFailure { Suberror = 1, Ndata = 0, Flags = 1, InsnSize = 15 };

        Decode(KvmExitReason.InternalError).InstructionEmulation.Count.Should().Be(0);
    }

    [Test]
    public void An_emulation_failure_never_claims_more_bytes_than_there_are()
    {
        Page.EmulationFailure = new KvmRunEmulationFailure { Suberror = 1, Ndata = 3, Flags = 1, InsnSize = 255 };

        Decode(KvmExitReason.InternalError).InstructionEmulation.Count.Should().Be(15);
    }

    [Test]
    public void Another_internal_error_carries_its_suberror_and_words()
    {
        Page.InternalError = new KvmRunInternal { Suberror = 3, Ndata = 2 };
        Page.InternalError.Data[0] = 0x11;
        Page.InternalError.Data[1] = 0x22;

        VmExit exit = Decode(KvmExitReason.InternalError);
        exit.Code.Should().Be(ExitCode.InternalError);
        exit.Hypervisor.Should().Be(new HypervisorExit(3, 0x11, 0x22));
    }

    [Test]
    public void A_system_event_carries_its_type()
    {
        Page.SystemEvent = new KvmRunSystemEvent { Type = 2, Ndata = 1 };

        VmExit exit = Decode(KvmExitReason.SystemEvent);
        exit.Code.Should().Be(ExitCode.SystemEvent);
        exit.Hypervisor.Reason.Should().Be(2);
    }

    [Test]
    public void A_memory_fault_carries_its_address()
    {
        Page.MemoryFault = new KvmRunMemoryFault { Gpa = 0x123000, Size = 0x1000 };

        Decode(KvmExitReason.MemoryFault).Paging.Address.Should().Be(new GuestPhysicalAddress(0x123000));
    }

    [TestCase(1ul << 14, ExitCode.MonitorTrap)]
    [TestCase(1ul, ExitCode.Breakpoint)]
    public void A_debug_exit_is_a_step_or_a_breakpoint(ulong dr6, ExitCode code)
    {
        Page.Debug = new KvmDebugExitArch { Exception = 1, Pc = 0x1234, Dr6 = dr6, Dr7 = 0x400 };

        VmExit exit = Decode(KvmExitReason.Debug);
        exit.Code.Should().Be(code);
        exit.Debug.Should().Be(new DebugExit(1, 0x1234, dr6, 0x400));
    }

    [Test]
    public void A_hypercall_is_pending_with_its_arguments()
    {
        Page.Hypercall = new KvmRunHypercall { Nr = 12, Flags = 1 };
        Page.Hypercall.Args[0] = 0x1000;
        Page.Hypercall.Args[4] = 5;

        VmExit exit = Decode(KvmExitReason.Hypercall);
        exit.Hypercall.Should().Be(new HypercallExit(12, 0x1000, 0, 0, 0, 5, IsLongMode: true));
        _guest.Cpu.Pending.Should().Be(PendingOperation.Exit);
        _guest.Cpu.Fulfill(7);
        Page.Hypercall.Ret.Should().Be(7);
    }

    [TestCase(KvmExitReason.X86Rdmsr, ExitCode.Rdmsr, 0ul)]
    [TestCase(KvmExitReason.X86Wrmsr, ExitCode.Wrmsr, 0x55ul)]
    public void An_msr_access_is_pending(KvmExitReason reason, ExitCode code, ulong value)
    {
        Page.Msr = new KvmRunMsr { Index = 0x123, Data = 0x55 };

        VmExit exit = Decode(reason);
        exit.Code.Should().Be(code);
        exit.Msr.Should().Be(new MsrExit(new MsrIndex(0x123), value));
        _guest.Cpu.Fulfill(0, MsrOutcome.GeneralProtection);
        Page.Msr.Error.Should().Be(1);
    }

    [Test]
    public void A_port_exit_whose_data_lie_outside_the_page_is_an_internal_error()
    {
        Page.Io = new KvmRunIo { Direction = 1, Size = 4, Port = 1, Count = uint.MaxValue, DataOffset = 4096 };

        Decode(KvmExitReason.Io).Code.Should().Be(ExitCode.InternalError);
        _guest.Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void An_mmio_exit_longer_than_its_data_is_cut()
    {
        Page.Mmio = new KvmRunMmio { PhysAddr = 0xfee00000, Len = 4000, IsWrite = 1 };

        Decode(KvmExitReason.Mmio).Mmio.Should().Be(new MmioExit(new(0xfee00000), 8, false, 0));
    }

    private VmExit Decode(KvmExitReason reason)
    {
        Page.ExitReason = (uint)reason;
        VmExit exit = default;
        ((KvmVcpu)_guest.Cpu).Decode(ref exit);
        return exit;
    }
}
