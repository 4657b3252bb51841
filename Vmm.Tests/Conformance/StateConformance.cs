// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>The part of the contract that needs no executed code: lifecycle, memory and the state of a vCPU.</summary>
public abstract class StateConformance : EngineConformance
{
    private static readonly (RegisterName Register, ulong Value)[] s_values =
    [
        (RegisterName.Rax, 0x0102030405060708), (RegisterName.Rbx, 0x1112131415161718),
        (RegisterName.Rcx, 0x2122232425262728), (RegisterName.Rdx, 0x3132333435363738),
        (RegisterName.Rsi, 0x4142434445464748), (RegisterName.Rdi, 0x5152535455565758),
        (RegisterName.Rbp, 0x6162636465666768), (RegisterName.Rsp, 0x7172737475767778),
        (RegisterName.R8, 0x8182838485868788), (RegisterName.R9, 0x9192939495969798),
        (RegisterName.R10, 0xa1a2a3a4a5a6a7a8), (RegisterName.R11, 0xb1b2b3b4b5b6b7b8),
        (RegisterName.R12, 0xc1c2c3c4c5c6c7c8), (RegisterName.R13, 0xd1d2d3d4d5d6d7d8),
        (RegisterName.R14, 0xe1e2e3e4e5e6e7e8), (RegisterName.R15, 0xf1f2f3f4f5f6f7f8),
        (RegisterName.Rip, 0x7c00), (RegisterName.Rflags, 0x46),
        (RegisterName.Cr0, 0x10), (RegisterName.Cr2, 0xdead0000), (RegisterName.Cr3, 0x5000), (RegisterName.Cr4, 0x20),
        (RegisterName.Efer, 0), (RegisterName.Xcr0, 1),
        (RegisterName.Dr0, 0x1000), (RegisterName.Dr1, 0x2000), (RegisterName.Dr2, 0x3000), (RegisterName.Dr3, 0x4000),
        (RegisterName.Dr6, 0xffff0ff0), (RegisterName.Dr7, 0x400),
        (RegisterName.Es, 0x111), (RegisterName.Cs, 0x222), (RegisterName.Ss, 0x333), (RegisterName.Ds, 0x444),
        (RegisterName.Fs, 0x555), (RegisterName.Gs, 0x666), (RegisterName.Ldtr, 0x18), (RegisterName.Tr, 0x28),
        (RegisterName.InterruptShadow, 1), (RegisterName.InterruptShadow, 0),
    ];

    [Test]
    [Proves("vm_get_register", "vm_set_register")]
    public void Registers_read_back_one_by_one() =>
        Assert.Multiple(() =>
        {
            foreach ((RegisterName register, ulong value) in s_values)
            {
                Cpu.SetRegister(register, value);
                Cpu.GetRegister(register).Should().Be(value, "{0}", register);
            }
        });

    [Test]
    public void Registers_read_back_together()
    {
        Dictionary<RegisterName, ulong> last = [];
        foreach ((RegisterName register, ulong value) in s_values)
        {
            Cpu.SetRegister(register, value);
            last[register] = value;
        }

        // An access to an MSR makes a backend that caches registers write them to its hypervisor first.
        Cpu.TryGetMsr(new MsrIndex(0x277), out _).Should().BeTrue();

        Assert.Multiple(() =>
        {
            foreach ((RegisterName register, ulong value) in last)
            {
                Cpu.GetRegister(register).Should().Be(value, "{0}", register);
            }
        });
    }

    [Test]
    public void General_registers_at_once_are_those_one_by_one()
    {
        foreach ((RegisterName register, ulong value) in s_values.Take(18))
        {
            Cpu.SetRegister(register, value);
        }

        GeneralRegisters all = Cpu.GeneralRegisters;
        all.Rax.Should().Be(0x0102030405060708);
        all.Rsp.Should().Be(0x7172737475767778);
        all.R15.Should().Be(0xf1f2f3f4f5f6f7f8);
        all.Rip.Should().Be(0x7c00);
        all.Rflags.Should().Be(0x46);
        Cpu.GeneralRegisters = all with { Rbx = 9, R8 = 10 };
        Cpu.GetRegister(RegisterName.Rbx).Should().Be(9);
        Cpu.GetRegister(RegisterName.R8).Should().Be(10);
        Cpu.GetRegister(RegisterName.R15).Should().Be(0xf1f2f3f4f5f6f7f8);
    }

    [TestCase(RegisterName.Es, 0xc093u)]
    [TestCase(RegisterName.Cs, 0xc09bu)]
    [TestCase(RegisterName.Ss, 0xc093u)]
    [TestCase(RegisterName.Ds, 0xd0f3u)]
    [TestCase(RegisterName.Fs, 0x0093u)]
    [TestCase(RegisterName.Gs, 0xc091u)]
    [TestCase(RegisterName.Ldtr, 0x0082u)]
    [TestCase(RegisterName.Tr, 0x008bu)]
    [Proves("vm_get_seg_desc", "vm_set_seg_desc")]
    public void Descriptor_reads_back(RegisterName register, uint access)
    {
        uint limit = (access & 0x8000) != 0 ? 0x12345fffu : 0xfffu;
        SegmentDescriptor descriptor = new(0x00400000, limit, new SegmentAccess(access));
        Cpu.SetRegister(register, 0x18);

        Cpu.SetSegmentDescriptor(register, descriptor);
        Cpu.TryGetMsr(new MsrIndex(0x277), out _).Should().BeTrue();

        Cpu.GetSegmentDescriptor(register).Should().Be(descriptor);
        Cpu.GetRegister(register).Should().Be(0x18, "the selector stays");
    }

    [TestCase(RegisterName.Gdtr)]
    [TestCase(RegisterName.Idtr)]
    public void Table_register_has_base_and_limit_only(RegisterName register)
    {
        Cpu.SetSegmentDescriptor(register, new SegmentDescriptor(0x5000, 0x7f, new SegmentAccess(0x93)));
        Cpu.TryGetMsr(new MsrIndex(0x277), out _).Should().BeTrue();

        Cpu.GetSegmentDescriptor(register).Should().Be(new SegmentDescriptor(0x5000, 0x7f, default));
        Action value = () => Cpu.GetRegister(register);
        value.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Entry_instruction_length_is_no_register_of_a_backend()
    {
        Action get = () => Cpu.GetRegister(RegisterName.EntryInstructionLength);
        get.ShouldFail(VmmError.EINVAL);
    }

    [TestCase(0xc0000080u, 0x1ul)]
    [TestCase(0xc0000081u, 0x0023001000000000ul)]
    [TestCase(0xc0000082u, 0xffffffff81000000ul)]
    [TestCase(0xc0000083u, 0xffffffff82000000ul)]
    [TestCase(0xc0000084u, 0x47700ul)]
    [TestCase(0xc0000102u, 0xffff888000000000ul)]
    [TestCase(0xc0000100u, 0x00007fff00000000ul)]
    [TestCase(0x174u, 0x10ul)]
    [TestCase(0x175u, 0x8000ul)]
    [TestCase(0x176u, 0x9000ul)]
    [TestCase(0x277u, 0x0007040600070406ul)]
    public void Msr_reads_back(uint index, ulong value)
    {
        Cpu.TrySetMsr(new MsrIndex(index), value).Should().BeTrue();
        Cpu.TryGetMsr(new MsrIndex(index), out ulong back).Should().BeTrue();
        back.Should().Be(value);
    }

    [Test]
    public void Msr_the_backend_does_not_have_is_refused()
    {
        Cpu.TryGetMsr(new MsrIndex(0x12345), out _).Should().BeFalse();
        Cpu.TrySetMsr(new MsrIndex(0x12345), 1).Should().BeFalse();
    }

    [Test]
    [Proves("vm_get_fpu", "vm_set_fpu")]
    public void Fpu_image_reads_back()
    {
        byte[] image = new byte[0x8000];
        int length = Cpu.GetFpu(image);
        length.Should().BeGreaterThanOrEqualTo(576);
        image.AsSpan(0, length).Clear();
        (image[0], image[1]) = (0x7e, 0x03);
        (image[24], image[25]) = (0x80, 0x1f);
        image.AsSpan(32, 10).Fill(0x3c);
        image.AsSpan(160, 256).Fill(0xa5);
        image[512] = 3;

        Cpu.SetFpu(image.AsSpan(0, length));

        byte[] back = new byte[0x8000];
        Cpu.GetFpu(back).Should().Be(length);
        back[..2].Should().Equal(image[..2]);
        back[24..26].Should().Equal(image[24..26]);
        back[32..42].Should().Equal(image[32..42]);
        back[160..416].Should().Equal(image[160..416]);
    }

    [Test]
    public void Fpu_image_is_checked()
    {
        byte[] image = new byte[0x8000];
        int length = Cpu.GetFpu(image);
        Action small = () => Cpu.GetFpu(new byte[length - 1]);
        small.ShouldFail(VmmError.ENOSPC);
        Action cut = () => Cpu.SetFpu(image.AsSpan(0, 575));
        cut.ShouldFail(VmmError.ENOSPC);
        image[520] = 1;
        Action compacted = () => Cpu.SetFpu(image.AsSpan(0, length));
        compacted.ShouldFail(VmmError.EINVAL);
        image[520] = 0;
        image[512 + 7] = 0x40;
        Action component = () => Cpu.SetFpu(image.AsSpan(0, length));
        component.ShouldFail(VmmError.EINVAL, "no host has this component");
    }

    [Test]
    public void Reset_is_the_architectures()
    {
        Cpu.SetRegister(RegisterName.Rbx, 7);

        Cpu.Reset(initOnly: false);

        Cpu.GetRegister(RegisterName.Rbx).Should().Be(0);
        Cpu.GetRegister(RegisterName.Rdx).Should().Be(0x600);
        Cpu.GetRegister(RegisterName.Rip).Should().Be(0xfff0);
        Cpu.GetRegister(RegisterName.Cr0).Should().Be(0x60000010);
        Cpu.GetRegister(RegisterName.Rflags).Should().Be(2);
        Cpu.GetSegmentDescriptor(RegisterName.Cs).Should()
            .Be(new SegmentDescriptor(0xffff0000, 0xffff, new SegmentAccess(0x93)));
    }

    [Test]
    public void Halt_exits_are_on_where_the_engine_halts_and_unknown_capabilities_are_refused()
    {
        Cpu.GetCapability(VcpuCapability.HaltExit).Should().Be(Mode == InterruptControllerMode.Userspace);
        Cpu.SetCapability(VcpuCapability.HaltExit, Mode == InterruptControllerMode.Userspace);
        Action unknown = () => Cpu.GetCapability((VcpuCapability)99);
        unknown.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Exception_is_queued_and_taken()
    {
        Cpu.SetRegister(RegisterName.Cr0, 0x11);
        Cpu.Inject(GuestException.PageFault(6, new(0x1234000)));

        Cpu.GetRegister(RegisterName.Cr2).Should().Be(0x1234000);
        Cpu.TryTakeEntryEvent(out EventInformation information).Should().BeTrue();
        information.Should().Be(EventInformation.Create(EventType.HardwareException, 14, 6));
    }

    [Test]
    public void Memory_is_mapped_remapped_and_released()
    {
        Map(0x100000, 0x2000, 1, MemoryProtection.ReadExecute, isRam: false);
        Write(0, 1, 2, 3);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.MemoryMap.Unmap(freeze, new(0), RamLength);
            Machine.MemoryMap.Map(
                freeze, new GuestMemoryMapping(new(0x20000), RamLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
            Action overlap = () => Machine.MemoryMap.Map(
                freeze, new GuestMemoryMapping(new(0x100000), 0x1000, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
            overlap.ShouldFail(VmmError.EFAULT);
        }

        Read(0x20000, 3).Should().Equal(1, 2, 3);
        Machine.Memory.TryWrite(new(0x100000), [1]).Should().BeFalse();
    }

    [Test]
    public void Wired_memory_is_mapped()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(2), 0x1000, true);

        Machine.MemoryMap.Map(
            freeze, new GuestMemoryMapping(new(0x200000), 0x1000, new SegmentId(2), 0, MemoryProtection.All, MapFlags.Wired));

        Machine.MemoryMap.IsAllocated(new(0x200000)).Should().BeTrue();
    }

    [Test]
    public void Read_only_memory_is_mapped_where_written_pages_are_tracked()
    {
        Recreate(new VirtualMachineOptions { Name = "tracked", MaxCpus = 1, Flags = CreateFlags.TrackDirty });

        Map(0xf0000, 0x1000, 1, MemoryProtection.ReadExecute, isRam: true);

        byte[] bitmap = new byte[1];
        Machine.TrackDirtyPages(new(0xf0000), 0x1000, bitmap);
        bitmap.Should().Equal(0);
    }

    [Test]
    public void Reset_of_the_VM_keeps_RAM_and_gives_fresh_vCPUs()
    {
        Write(0x3000, 9, 8, 7);
        Cpu.Activate();
        Cpu.SetRegister(RegisterName.Rbx, 7);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Action reset = () => Machine.Reinitialize(freeze);
            reset.ShouldFail(VmmError.EBUSY);
            Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }

        Read(0x3000, 3).Should().Equal(9, 8, 7);
        Cpu.GetRegister(RegisterName.Rbx).Should().Be(0);
        Cpu.Activate();
    }

    [Test]
    public void Freeze_takes_and_returns_every_vCPU()
    {
        using (Machine.FreezeVcpus())
        {
            Machine.GetVcpu(new VcpuId(1)).GetState(out _).Should().Be(VcpuState.Frozen);
        }

        Machine.GetVcpu(new VcpuId(1)).GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Destruction_is_final()
    {
        Cpu.Activate();
        Machine.Dispose();
        Action use = () => Cpu.GetRegister(RegisterName.Rax);

        use.Should().Throw<ObjectDisposedException>();
    }
}
