// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine.Faults;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Conformance;

/// <summary>A triple fault is explained the same whoever executed the guest.</summary>
public abstract class TripleFaultConformance
{
    private const ulong Idt = 0x3000;
    private const ulong IdtPage = LongModeMachine.FirstPageTable + (Idt / 4096 * 8);
    private const ulong StackPage = 0x60000;

    private IHypervisorBackend? _backend;
    private LongModeMachine? _guest;

    private protected LongModeMachine Guest => _guest!;

    /// <summary>Whether the engine or the backend sees the guest's exceptions.</summary>
    protected virtual bool IsSeen => true;

    [SetUp]
    public void Create()
    {
        _backend = CreateBackend();
        _guest = CreateGuest(_backend);
    }

    [TearDown]
    public void Destroy()
    {
        _guest?.Dispose();
        _backend?.Dispose();
        (_guest, _backend) = (null, null);
    }

    private protected abstract IHypervisorBackend CreateBackend();

    private protected abstract LongModeMachine CreateGuest(IHypervisorBackend backend);

    [Test]
    public void Empty_interrupt_table_shows_each_exception_with_its_error_code_and_its_entry()
    {
        Guest.Assemble(a =>
        {
            a.push(0);
            a.push(0);
            a.lidt(__[rsp]);
            a.mov(r9, 0x1234);
            a.ud2();
        });

        TripleFaultReport report = RunToFault();

        report.Chain.Select(step => step.ToString())
            .Should().Equal("#UD", "#GP(0x33)", "#GP(0x6b)", "#DF(0x0)", "#GP(0x43)");
        report.Chain.Select(step => step.WasAttempted).Should().Equal(true, true, false, true, false);
        report.Gates.Select(gate => gate.Vector).Should().Equal(6, 13, 8);
        report.Gates.Should().OnlyContain(gate => gate.Problem == "it lies beyond the table's limit, 0x0");
        report.Registers.R9.Should().Be(0x1234);
        report.Code.AsSpan(0, 2).ToArray().Should().Equal(0x0f, 0x0b);
        report.CodeWalk!.Result.Status.Should().Be(TranslationStatus.Mapped);
        report.StackWalk!.Result.Status.Should().Be(TranslationStatus.Mapped);
        report.ToString().Should().EndWith("#UD > #GP(0x33) > #GP(0x6b) > #DF(0x0) > #GP(0x43) > shutdown");
    }

    [Test]
    public void Interrupt_table_in_a_page_that_is_not_present_shows_the_page_faults_and_their_walk()
    {
        Guest.Write64(IdtPage, 0);
        Guest.Assemble(a => a.ud2());

        TripleFaultReport report = RunToFault();

        report.Chain.Select(step => step.ToString())
            .Should().Equal("#UD", "#PF(0x0) at 0x3060", "#PF(0x0) at 0x30e0", "#DF(0x0)", "#PF(0x0) at 0x3080");
        report.FaultWalk!.Address.Value.Should().Be(0x3080);
        report.FaultWalk.Result.Status.Should().Be(TranslationStatus.PageFault);
        report.FaultWalk.Steps[^1].Address.Should().Be(IdtPage);
        report.Gates.Should().OnlyContain(gate => gate.Problem!.StartsWith("it cannot be read"));
    }

    [Test]
    public void Stack_that_is_not_present_is_what_the_walk_of_the_stack_shows()
    {
        Guest.Write64(LongModeMachine.FirstPageTable + ((StackPage / 4096) - 1) * 8, 0);
        Guest.Assemble(a =>
        {
            a.mov(rsp, StackPage);
            a.ud2();
        });

        TripleFaultReport report = RunToFault();

        report.Chain.Select(step => step.ToString())
            .Should().Equal("#UD", "#PF(0x2) at 0x5fff8", "#PF(0x2) at 0x5fff8", "#DF(0x0)", "#PF(0x2) at 0x5fff8");
        report.StackWalk!.Result.Status.Should().Be(TranslationStatus.PageFault);
        report.StackWalk.Address.Value.Should().Be(0x5fff8);
        report.Gates.Should().OnlyContain(gate => gate.Problem == null, "the entries are in order, the stack is not");
    }

    [Test]
    public void Stack_that_is_not_canonical_is_a_stack_fault()
    {
        Guest.Assemble(a =>
        {
            a.mov(rsp, 0x8000_0000_0000_0000);
            a.ud2();
        });

        TripleFaultReport report = RunToFault();

        report.Chain.Select(step => step.ToString()).Should().Equal("#UD", "#SS(0x1)", "#SS(0x1)", "#DF(0x0)", "#SS(0x1)");
    }

    [Test]
    public void Entries_that_are_no_gates_or_not_present_are_named()
    {
        // Those of #UD, #NP, #GP and #DF.
        Guest.Write64(Idt + (6 * 16), Guest.Read64(Idt + (6 * 16)) & ~(1ul << 47));
        Guest.Write64(Idt + (11 * 16), 0);
        Guest.Write64(Idt + (13 * 16), 0);
        Guest.Write64(Idt + (8 * 16), Guest.Read64(Idt + (8 * 16)) & ~0xffff0000ul);
        Guest.Assemble(a => a.ud2());

        TripleFaultReport report = RunToFault();

        report.Chain.Select(step => step.ToString())
            .Should().Equal("#UD", "#NP(0x33)", "#GP(0x5b)", "#DF(0x0)", "#GP(0x1)");
        report.Gates.Select(gate => gate.Problem![19..]).Should().Equal("is not present", "is no gate (type 0)", "has no code segment");
    }

    [Test]
    public void Report_is_there_as_long_as_the_suspension_and_a_reinitialization_ends_both()
    {
        Guest.Write64(IdtPage, 0);
        Guest.Assemble(a => a.ud2());
        RunToFault();
        Guest.Run().Suspended.Should().Be(SuspendReason.TripleFault);
        Guest.Machine.TripleFault.Should().NotBeNull();

        using (IVcpuFreeze freeze = Guest.Machine.FreezeVcpus())
        {
            Guest.Machine.Reinitialize(freeze);
        }

        Guest.Machine.TripleFault.Should().BeNull();
    }

    [Test]
    public void Rehearsal_leaves_no_trace_in_the_guest()
    {
        // The exception's frame would be written to the first stack, which the second one's address replaces in the guest's TSS.
        Guest.Write64(Idt + (14 * 16), 0);
        Guest.Write64(Idt + (13 * 16), 0);
        Guest.Write64(Idt + (8 * 16), 0);
        byte[] before = Guest.Read(LongModeMachine.Data, 64);
        Guest.Assemble(a =>
        {
            a.mov(rdi, LongModeMachine.Data);
            a.mov(ecx, 1);
            a.mov(rsi, 0xffff_8000_0000_0000);
            a.rep.movsb();
        });

        TripleFaultReport report = RunToFault();

        report.Chain[0].ToString().Should().StartWith("#PF(0x0) at 0xffff800000000000");
        Guest.Read(LongModeMachine.Data, 64).Should().Equal(before);
        report.Registers.Rcx.Should().Be(1);
    }

    private TripleFaultReport RunToFault()
    {
        VmExit exit = Guest.Run();

        exit.Code.Should().Be(ExitCode.Suspended, exit.ToString());
        exit.Suspended.Should().Be(SuspendReason.TripleFault);
        TripleFaultReport report = Guest.Machine.TripleFault!;
        report.Vcpu.Should().Be(new VcpuId(0));
        if (report.Origin == TripleFaultOrigin.Unknown && _backend!.Description.Virtualization == HostVirtualization.Svm)
        {
            Assert.Ignore($"this host's processor does not keep the state that it shut down in: {report.Remark}");
        }

        report.Origin.Should().Be(IsSeen ? TripleFaultOrigin.Seen : TripleFaultOrigin.Rehearsed, report.ToString());
        report.Remark.Should().BeNull();
        return report;
    }
}

/// <summary>KVM in each mode, and where it would interpret kernel mode with the engine executing that.</summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Userspace, false)]
[TestFixture(InterruptControllerMode.Split, false)]
[TestFixture(InterruptControllerMode.Kernel, false)]
[TestFixture(InterruptControllerMode.Userspace, true)]
public sealed class KvmTripleFaults(InterruptControllerMode mode, bool carries) : TripleFaultConformance
{
    private bool _isCarried;

    protected override bool IsSeen => _isCarried;

    private protected override IHypervisorBackend CreateBackend() => KvmRequirement.OpenBackend();

    private protected override LongModeMachine CreateGuest(IHypervisorBackend backend)
    {
        _isCarried = carries && backend.Description.InterpretsKernelMode;
        return new LongModeMachine(backend, mode, configure: options => options with { CarriesFromStart = carries });
    }
}

/// <summary>The processor in software.</summary>
public sealed class SoftwareTripleFaults : TripleFaultConformance
{
    private protected override IHypervisorBackend CreateBackend() => new SoftwareBackend();

    private protected override LongModeMachine CreateGuest(IHypervisorBackend backend) => new(backend);

    [Test]
    public void Interrupt_that_began_it_is_in_the_chain()
    {
        Guest.Write64(0x3000 + (0x20 * 16), 0);
        Guest.Write64(0x3000 + (13 * 16), 0);
        Guest.Write64(0x3000 + (8 * 16), 0);
        Guest.Machine.ExternalInterruptSource = new FixedVector();
        Guest.Cpu.InjectExternalInterrupt();
        Guest.Assemble(a =>
        {
            a.sti();
            a.nop();
            a.nop();
        });

        Guest.Run().Suspended.Should().Be(SuspendReason.TripleFault);

        Guest.Machine.TripleFault!.Chain.Select(step => step.ToString())
            .Should().Equal("interrupt 0x20", "#GP(0x103)", "#GP(0x6b)", "#DF(0x0)", "#GP(0x43)");
    }

    private sealed class FixedVector : IExternalInterruptSource
    {
        public byte Acknowledge() => 0x20;
    }
}
