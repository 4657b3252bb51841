// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine.Memory;
using Vmm.Tests.Proofs;
using CpuPagingMode = Vmm.Abstractions.Registers.PagingMode;

namespace Vmm.Tests.Engine;

/// <summary>Guest memory by linear address: plans, copies, faults, and the walk as a person sees it.</summary>
public sealed class LinearMemoryTests : EngineFixture
{
    private const ulong Tables = 0x10000;
    private const ulong Linear = 0x40_0000;
    private const ulong PageTable = Tables + 0x3000;
    private const ulong Rights = 7;

    private static readonly GuestPaging s_flat = new(0, 0, CpuMode.Protected, CpuPagingMode.Flat);
    private static readonly GuestPaging s_kernel = new(Tables, 0, CpuMode.Long64, CpuPagingMode.Long64);

    private IGuestCopyPlan? _plan;

    [SetUp]
    public void MapMemory()
    {
        _plan = null;
        Map(0, 32 * Page);
        Start();
    }

    [TearDown]
    public void LetPlanGo() => _plan?.Dispose();

    [Test]
    [Proves("vm_copy_setup", "vm_copyin", "vm_copyout")]
    public void A_range_across_pages_is_copied_in_and_out()
    {
        byte[] bytes = [.. Enumerable.Range(0, 6000).Select(i => (byte)(i * 7))];
        Plan(s_flat, 0x1ff0, bytes.Length, MemoryProtection.Write).Should().Be(GuestCopyOutcome.Ready);
        using (IGuestCopyPlan plan = _plan!)
        {
            plan.Chunks.Select(chunk => (chunk.Address.Value, chunk.Length)).Should().Equal((0x1ff0, 0x10), (0x2000, 0x1000), (0x3000, 6000 - 0x1010));
            plan.CopyOut(bytes);
        }

        Plan(s_flat, 0x1ff0, bytes.Length, MemoryProtection.Read).Should().Be(GuestCopyOutcome.Ready);
        byte[] back = new byte[bytes.Length];
        using (IGuestCopyPlan plan = _plan!)
        {
            plan.CopyIn(back);
        }

        back.Should().Equal(bytes);
    }

    [Test]
    public void Pages_are_translated_one_by_one_and_marked()
    {
        WriteTables();
        WriteEntry(0, 0x5000 | Rights);
        WriteEntry(1, 0x8000 | Rights);
        Machine.Memory.TryWrite(At(0x5fff), [0xa1]);
        Machine.Memory.TryWrite(At(0x8000), [0xa2]);

        Plan(s_kernel, Linear + 0xfff, 2, MemoryProtection.Read).Should().Be(GuestCopyOutcome.Ready);

        byte[] bytes = new byte[2];
        using (IGuestCopyPlan plan = _plan!)
        {
            plan.CopyIn(bytes);
        }

        bytes.Should().Equal(0xa1, 0xa2);
        ReadEntry(0).Should().Be(0x5000 | Rights | 0x20, "the page is accessed, and not dirty");
        Plan(s_kernel, Linear, 1, MemoryProtection.Write).Should().Be(GuestCopyOutcome.Ready);
        _plan!.Dispose();
        ReadEntry(0).Should().Be(0x5000 | Rights | 0x60);
    }

    [Test]
    public void A_page_that_is_not_there_is_the_guests_fault()
    {
        WriteTables();
        WriteEntry(0, 0x5000 | Rights);

        Plan(s_kernel, Linear + 0xff0, 0x20, MemoryProtection.Write).Should().Be(GuestCopyOutcome.Faulted);

        _plan.Should().BeNull();
        Cpu.GetPendingEvents().Exception.Should().Be(EventInformation.Create(EventType.HardwareException, 14, 2));
        Cpu.GetRegister(RegisterName.Cr2).Should().Be(Linear + 0x1000);
    }

    [Test]
    public void User_mode_does_not_reach_a_supervisor_page()
    {
        WriteTables();
        WriteEntry(0, 0x5000 | 3);

        Plan(s_kernel with { Cpl = 3 }, Linear, 1, MemoryProtection.Read).Should().Be(GuestCopyOutcome.Faulted);

        Cpu.GetPendingEvents().Exception.ErrorCode.Should().Be(5);
    }

    [Test]
    public void An_address_that_is_not_canonical_is_a_general_protection_fault()
    {
        WriteTables();

        Plan(s_kernel, 0x8000_0000_0000, 1, MemoryProtection.Read).Should().Be(GuestCopyOutcome.Faulted);

        Cpu.GetPendingEvents().Exception.Should().Be(EventInformation.Create(EventType.HardwareException, 13, 0));
    }

    [Test]
    public void A_page_without_memory_is_said_and_nothing_stays_held()
    {
        Plan(s_flat, (32 * Page) - 1, 2, MemoryProtection.Read).Should().Be(GuestCopyOutcome.NotMemory);

        _plan.Should().BeNull();
        Cpu.GetPendingEvents().Exception.IsValid.Should().BeFalse();
    }

    [Test]
    [Proves("vm_copy_teardown")]
    public void A_plan_is_for_what_it_was_made_for()
    {
        Plan(s_flat, 0x1000, 4, MemoryProtection.Read);
        IGuestCopyPlan plan = _plan!;

        ((Action)(() => plan.CopyOut([1, 2, 3, 4]))).Should().Throw<InvalidOperationException>();
        ((Action)(() => plan.CopyIn(new byte[3]))).Should().Throw<ArgumentOutOfRangeException>();
        plan.Dispose();
        plan.Dispose();
        ((Action)(() => plan.CopyIn(new byte[4]))).Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void A_walk_shows_every_entry_and_where_it_ends()
    {
        WriteTables();
        WriteEntry(0, 0x5000 | Rights);

        PageWalk walk = Cpu.Walk(new GuestLinearAddress(Linear + 0x123), PageAccess.Read);

        walk.Steps.Select(step => step.Level).Should().Equal(4, 3, 2, 1);
        walk.Steps[^1].Entry.Should().Be(0x5000 | Rights);
        walk.Result.PhysicalAddress.Should().Be(0x5123);
        walk.ToString().Should().StartWith("0x400123 > level 4 at 0x10000: 0x11007").And.EndWith("> 0x5123");
        ReadEntry(0).Should().Be(0x5000 | Rights, "looking has no effect");
    }

    [Test]
    public void A_walk_that_fails_says_where()
    {
        WriteTables();

        Cpu.Walk(new GuestLinearAddress(Linear), PageAccess.Write).ToString().Should().EndWith("level 1 at 0x13000: 0x0 > page fault, error code 0x2");

        Cpu.SetRegister(RegisterName.Cr3, 0x1000_0000);
        Cpu.Walk(new GuestLinearAddress(Linear), PageAccess.Read).ToString()
            .Should().EndWith("level 4 at 0x10000000: not in memory > a paging structure is not in memory");
    }

    [Test]
    public void Without_paging_a_walk_has_no_entries() =>
        Cpu.Walk(new GuestLinearAddress(0x1234), PageAccess.Read).ToString().Should().Be("0x1234 > 0x1234");

    private GuestCopyOutcome Plan(in GuestPaging paging, ulong address, int length, MemoryProtection access) =>
        Cpu.PlanCopy(paging, new GuestLinearAddress(address), length, access, out _plan);

    private void WriteTables()
    {
        Write(Tables, Tables + 0x1000 | Rights);
        Write(Tables + 0x1000, Tables + 0x2000 | Rights);
        Write(Tables + 0x2000 + (2 * 8), PageTable | Rights);
        Cpu.SetRegister(RegisterName.Cr0, 0x80000011);
        Cpu.SetRegister(RegisterName.Cr3, Tables);
        Cpu.SetRegister(RegisterName.Cr4, 0x20);
        Cpu.SetRegister(RegisterName.Efer, 0x500);
    }

    private void WriteEntry(ulong index, ulong value) => Write(PageTable + (index * 8), value);

    private ulong ReadEntry(ulong index)
    {
        byte[] bytes = new byte[8];
        Machine.Memory.TryRead(At(PageTable + (index * 8)), bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private void Write(ulong address, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Machine.Memory.TryWrite(At(address), bytes).Should().BeTrue();
    }
}
