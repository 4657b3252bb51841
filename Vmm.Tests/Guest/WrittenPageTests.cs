// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Guest;

/// <summary>Written pages: on KVM by bitmap, and by ring where the host has it; and on the processor in software.</summary>
[TestFixture(Backends.Kvm, 0, Category = "Kvm")]
[TestFixture(Backends.Kvm, Ring, Category = "Kvm")]
[TestFixture(Backends.Software, 0)]
public sealed class WrittenPageTests(string kind, int ringEntries)
{
    private const int Ring = 65536;
    private const ulong Page = 4096;
    private const ulong RamLength = 0x100000;
    private const ulong Code = 0x1000;

    private IHypervisorBackend? _backend;
    private VirtualMachine? _machine;

    private VirtualMachine Machine => _machine!;

    private VirtualCpu Cpu => Machine.GetVcpu(new VcpuId(0));

    [SetUp]
    public void CreateMachine()
    {
        if (ringEntries != 0)
        {
            using KvmSystemFd system = KvmRequirement.Open();
            KvmRequirement.Require(system, KvmCapability.DirtyLogRing);
        }

        _backend = kind == Backends.Kvm
            ? KvmRequirement.OpenBackend(new KvmBackendOptions { DirtyRingEntries = ringEntries, TrustDirtyRing = true })
            : Backends.Open(kind);
        _machine = new VirtualMachineFactory(_backend).Create(new VirtualMachineOptions
        {
            Name = "dirty",
            MaxCpus = 2,
            Flags = CreateFlags.TrackDirty,
        });
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), RamLength, true);
        Machine.MemoryMap.Map(
            freeze, new GuestMemoryMapping(new(0), RamLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
    }

    [TearDown]
    public void DisposeMachine()
    {
        _machine?.Dispose();
        _backend?.Dispose();
    }

    [Test]
    public void Pages_that_the_guest_writes_are_reported_once_and_again_after_another_write()
    {
        // mov ax, 0x2000; mov ds, ax; mov [0], al; mov [0x3000], al; in al, 0x60; mov [0], al; hlt
        Load(0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa2, 0x00, 0x00, 0xa2, 0x00, 0x30, 0xe4, 0x60, 0xa2, 0x00, 0x00, 0xf4);
        Dirty().Should().Contain(1, "the code was written by the host");
        VmExit exit = Cpu.Run(VmEntry.Default);
        Dirty().Should().Equal(0x20, 0x23);
        Dirty().Should().BeEmpty();

        Cpu.Run(VmEntry.FulfillPort(exit.Port, 1)).Code.Should().Be(ExitCode.Suspended);

        Dirty().Should().Equal(0x20);
    }

    [Test]
    public void Range_that_is_not_asked_for_stays_recorded()
    {
        // mov ax, 0x2000; mov ds, ax; mov [0], al; mov [0x1000], al; mov [0x2000], al; hlt
        Load(0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa2, 0x00, 0x00, 0xa2, 0x00, 0x10, 0xa2, 0x00, 0x20, 0xf4);
        Dirty();
        Cpu.Run(VmEntry.Default).Code.Should().Be(ExitCode.Suspended);

        byte[] bitmap = new byte[1];
        Machine.TrackDirtyPages(new(0x21000), Page, bitmap);

        bitmap.Should().Equal(1);
        Dirty().Should().Equal(0x20, 0x22);
    }

    [Test]
    public void Writes_on_the_guests_behalf_are_reported()
    {
        // mov di, 0x3000; mov cx, 4; mov dx, 0x60; rep insb; hlt
        Load(0xbf, 0x00, 0x30, 0xb9, 0x04, 0x00, 0xba, 0x60, 0x00, 0xf3, 0x6c, 0xf4);
        Machine.Ports.Attach(0x60, new FakePort());
        Dirty();
        Cpu.Run(VmEntry.Default).Code.Should().Be(ExitCode.Suspended);
        Dirty().Should().Equal(3);
    }

    [Test]
    public void Every_write_is_reported_while_the_guest_goes_on()
    {
        RequireReliableRing();
        // L: inc byte [bx]; add bx, 0x1000; and bx, 0x7000; inc dword [0x20]; jmp L, with ds = 0x4000
        Load(0xfe, 0x07, 0x81, 0xc3, 0x00, 0x10, 0x81, 0xe3, 0x00, 0x70, 0x66, 0xff, 0x06, 0x20, 0x00, 0xeb, 0xef);
        Cpu.SetRegister(RegisterName.Ds, 0x4000);
        Cpu.SetSegmentDescriptor(RegisterName.Ds, new SegmentDescriptor(0x40000, 0xffff, new SegmentAccess(0x93)));
        Dirty();
        byte[] copy = new byte[RamLength];
        Machine.Memory.TryRead(new(0), copy).Should().BeTrue();
        VmExit end = default;
        Background guest = Background.Start(() => end = Cpu.Run(VmEntry.Default));
        List<GuestPhysicalRange> runs = [];
        ulong taken = 0;
        Background.Until(() =>
        {
            runs.Clear();
            taken += Machine.TakeDirtyRuns(runs);
            Copy(runs, copy);
            return taken > 200;
        });

        Machine.Suspend(SuspendReason.PowerOff);
        guest.Join();
        end.Code.Should().Be(ExitCode.Suspended);
        runs.Clear();
        Machine.TakeDirtyRuns(runs);
        Copy(runs, copy);

        byte[] memory = new byte[RamLength];
        Machine.Memory.TryRead(new(0), memory).Should().BeTrue();
        copy.AsSpan().SequenceEqual(memory).Should().BeTrue("a copy that follows the record is complete when the guest stands");
    }

    [Test]
    public void Each_page_of_a_long_walk_is_reported()
    {
        RequireReliableRing();
        // L: mov [0], al; mov ax, ds; add ax, 0x100; mov ds, ax; cmp ax, 0x9000; jne L; hlt: a write to each of 112 pages
        Load(0xa2, 0x00, 0x00, 0x8c, 0xd8, 0x05, 0x00, 0x01, 0x8e, 0xd8, 0x3d, 0x00, 0x90, 0x75, 0xf1, 0xf4);
        Cpu.SetRegister(RegisterName.Ds, 0x2000);
        Cpu.SetSegmentDescriptor(RegisterName.Ds, new SegmentDescriptor(0x20000, 0xffff, new SegmentAccess(0x93)));
        Dirty();

        Cpu.Run(VmEntry.Default).Code.Should().Be(ExitCode.Suspended);

        Dirty().Should().Equal(Enumerable.Range(0x20, 0x70));
    }

    private void RequireReliableRing()
    {
        if (ringEntries != 0 && _backend!.Description.InterpretsKernelMode)
        {
            Assert.Ignore("this host interprets kernel mode and lets a ring of written pages overflow");
        }
    }

    private void Copy(List<GuestPhysicalRange> runs, byte[] copy)
    {
        foreach (GuestPhysicalRange run in runs)
        {
            Machine.Memory.TryRead(run.Start, copy.AsSpan((int)run.Start.Value, (int)run.Length)).Should().BeTrue();
        }
    }

    private void Load(params byte[] code)
    {
        Machine.Memory.TryWrite(new(Code), code).Should().BeTrue();
        Cpu.Activate();
        Cpu.SetRunState(VcpuRunState.Run);
        Cpu.SetRegister(RegisterName.Cs, 0);
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        Cpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rsp = 0x8000, Rflags = 2 };
    }

    private List<int> Dirty()
    {
        const int Pages = (int)(RamLength / Page);
        byte[] bitmap = new byte[Pages / 8];
        Machine.TrackDirtyPages(new(0), RamLength, bitmap);
        return [.. Enumerable.Range(0, Pages).Where(i => (bitmap[i / 8] & (1 << (i % 8))) != 0)];
    }
}
