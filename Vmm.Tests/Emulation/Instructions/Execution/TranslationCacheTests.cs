// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>
/// What of remembered translations INVLPG, INVPCID and loads of CR3 and CR4 drop, and what they keep (volume 3, invalidation of TLBs). Each
/// test changes a page-table entry behind the CPU's back: the old page shows as long as the translation is kept.
/// </summary>
public sealed class TranslationCacheTests
{
    private const int Table = 0xF000;
    private const ulong LinearPage = 0x4_0000;
    private const ulong OldPage = 0x4_0000;
    private const ulong NewPage = 0x5_0000;
    private const ulong Keep = 1UL << 63;
    private const ulong Pcide = 1 << 17;

    [Test]
    public void Invlpg_drops_its_page_and_no_other()
    {
        FlatMachine machine = Paged();
        Remap(machine, LinearPage, NewPage);
        Remap(machine, LinearPage + 0x1000, NewPage);

        Invlpg(machine, LinearPage + 0xABC);

        (Read(machine, LinearPage), Read(machine, LinearPage + 0x1000)).Should().Be((2, 1));
    }

    [Test]
    public void Invlpg_drops_global_pages_too()
    {
        FlatMachine machine = Paged(flags: 0x107);
        Remap(machine, LinearPage, NewPage);

        Invlpg(machine, LinearPage);

        Read(machine, LinearPage).Should().Be(2);
    }

    /// <summary>Two parts of a page of 2 MiB are remembered; the address that is named is in neither.</summary>
    [Test]
    public void Invlpg_of_any_address_drops_all_parts_of_a_large_page()
    {
        FlatMachine machine = Paged();
        machine.Write64(0xE008, 0x87);
        Read(machine, 0x24_0000).Should().Be(1);
        Read(machine, 0x24_1000).Should().Be(1);
        machine.Write64(0xE008, Table | 7);
        Remap(machine, LinearPage, NewPage);
        Remap(machine, LinearPage + 0x1000, NewPage);

        Invlpg(machine, 0x3F_F123);

        (Read(machine, 0x24_0000), Read(machine, 0x24_1000)).Should().Be((2, 2));
    }

    /// <summary>The code that is called is in a large page, of which INVLPG names another address.</summary>
    [Test]
    public void Invlpg_of_any_address_drops_code_of_a_large_page()
    {
        FlatMachine machine = Paged();
        machine.Write64(0xE008, 0x87);
        machine.Memory[(int)OldPage] = 0xC3;
        machine.Memory[(int)NewPage] = 0xF4;
        ReadOnlySpan<byte> call = [0xFF, 0xD0, 0x90];
        Run(machine, call, 3, rax: 0x24_0000).Should().Be(ExecutionStatus.Completed);
        machine.Write64(0xE008, Table | 7);
        Remap(machine, LinearPage, NewPage);

        Invlpg(machine, 0x20_0000);

        Run(machine, call, 3, rax: 0x24_0000).Should().Be(ExecutionStatus.Halted);
    }

    [Test]
    public void Load_of_cr3_keeps_global_pages_and_drops_the_others()
    {
        FlatMachine machine = Paged();
        machine.Write64(Table + 0x42 * 8, 0x4_0107);
        Read(machine, 0x4_2000).Should().Be(1);
        Remap(machine, LinearPage, NewPage);
        Remap(machine, 0x4_2000, NewPage);

        LoadCr3(machine, machine.State.Cr3);

        (Read(machine, LinearPage), Read(machine, 0x4_2000)).Should().Be((2, 1));
    }

    [Test]
    public void Bit_g_means_nothing_without_cr4_pge()
    {
        FlatMachine machine = Paged(flags: 0x107, cr4: 0x20);
        Remap(machine, LinearPage, NewPage);

        LoadCr3(machine, machine.State.Cr3);

        Read(machine, LinearPage).Should().Be(2);
    }

    [Test]
    public void Change_of_cr4_pge_drops_global_pages()
    {
        FlatMachine machine = Paged(flags: 0x107);
        Remap(machine, LinearPage, NewPage);

        // mov cr4, rax
        Run(machine, [0x0F, 0x22, 0xE0], 1, rax: machine.State.Cr4 & ~0x80UL);

        Read(machine, LinearPage).Should().Be(2);
    }

    [TestCase(Keep, 1)]
    [TestCase(0UL, 2)]
    public void Bit_63_of_cr3_keeps_what_is_remembered_of_the_pcid(ulong bit, int expected)
    {
        FlatMachine machine = Paged(cr4: 0xA0 | Pcide);
        LoadCr3(machine, 0xC005 | Keep);
        Remap(machine, LinearPage, NewPage);

        LoadCr3(machine, 0xC000 | bit);

        Read(machine, LinearPage).Should().Be(expected);
    }

    /// <summary>More address spaces than are remembered, each with its own page at one address, in turn and without dropping any.</summary>
    [Test]
    public void Address_spaces_are_never_mixed()
    {
        FlatMachine machine = Paged(cr4: 0xA0 | Pcide);
        const int Spaces = 30;
        for (int space = 0; space < Spaces; space++)
        {
            BuildSpace(machine, SpaceAt(space), (byte)(10 + space));
        }

        // Three PCIDs for each set of tables, 90 in all, and all of them twice.
        for (int turn = 0; turn < 6; turn++)
        {
            for (int space = 0; space < Spaces; space++)
            {
                LoadCr3(machine, (ulong)SpaceAt(space) | (ulong)(space * 3 + turn % 3 + 1) | Keep);
                Read(machine, LinearPage).Should().Be(10 + space);
            }
        }
    }

    [TestCase(0UL, 5UL, 2, 1, Description = "an address of a PCID")]
    [TestCase(1UL, 5UL, 2, 1, Description = "a PCID")]
    [TestCase(2UL, 0UL, 2, 2, Description = "all, global pages too")]
    [TestCase(3UL, 0UL, 2, 1, Description = "all but global pages")]
    public void Invpcid_drops_what_its_type_says(ulong type, ulong pcid, int expected, int expectedGlobal)
    {
        FlatMachine machine = Paged(cr4: 0xA0 | Pcide);
        LoadCr3(machine, 0xC005 | Keep);
        machine.Write64(Table + 0x42 * 8, 0x4_0107);
        Read(machine, LinearPage).Should().Be(1);
        Read(machine, 0x4_2000).Should().Be(1);
        Remap(machine, LinearPage, NewPage);
        Remap(machine, 0x4_2000, NewPage);
        machine.Write64(0x9000, pcid);
        machine.Write64(0x9008, LinearPage);

        // invpcid rax, [rbx]
        machine.State.General[3] = 0x9000;
        Run(machine, [0x66, 0x0F, 0x38, 0x82, 0x03], 1, rax: type);

        (Read(machine, LinearPage), Read(machine, 0x4_2000)).Should().Be((expected, expectedGlobal));
    }

    [Test]
    public void Invpcid_of_another_pcid_leaves_the_current_one()
    {
        FlatMachine machine = Paged(cr4: 0xA0 | Pcide);
        LoadCr3(machine, 0xC005 | Keep);
        Read(machine, LinearPage).Should().Be(1);
        Remap(machine, LinearPage, NewPage);
        machine.Write64(0x9000, 0);
        machine.State.General[3] = 0x9000;

        Run(machine, [0x66, 0x0F, 0x38, 0x82, 0x03], 1, rax: 1);

        int current = Read(machine, LinearPage);
        LoadCr3(machine, 0xC000 | Keep);
        (current, Read(machine, LinearPage)).Should().Be((1, 2));
    }

    /// <summary>The same user code address in two address spaces, switched without dropping anything.</summary>
    [Test]
    public void Code_of_two_address_spaces_is_not_mixed([Values(0, 3)] int cpl)
    {
        FlatMachine machine = Paged(cr4: 0xA0 | Pcide);
        BuildSpace(machine, SpaceAt(0), 0xF4);
        machine.Memory[(int)OldPage] = 0xC3;
        ulong[] spaces = [0xC001 | Keep, 0x6_0002 | Keep];
        List<ulong> ends = [];
        for (int turn = 0; turn < 6; turn++)
        {
            SetCpl(machine, 0);
            LoadCr3(machine, spaces[turn & 1]);
            SetCpl(machine, cpl);
            Run(machine, [0xFF, 0xD0, 0x90], 3, rax: LinearPage);
            machine.State.Halted = false;
            ends.Add(machine.State.Rip & ~0xFFFUL);
        }

        ends.Should().Equal(FlatMachine.Code, LinearPage, FlatMachine.Code, LinearPage, FlatMachine.Code, LinearPage);
    }

    /// <summary>Pages of 4 KiB for the first MiB; LinearPage and the one behind it were read, and lead to memory that holds 1.</summary>
    private static FlatMachine Paged(ulong flags = 7, ulong cr4 = 0xA0)
    {
        FlatMachine machine = FlatMachine.Long();
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(Table + page * 8, (ulong)page << 12 | 7);
        }

        machine.Write64(0xE000, Table | 7);
        machine.State.Cr4 = cr4;
        machine.State.Cr3 = 0xC000;
        machine.State.FlushTranslations();
        machine.Write64(Table + (int)(LinearPage >> 12) * 8, OldPage | flags);
        machine.Memory[(int)OldPage] = 1;
        machine.Memory[(int)OldPage + 0x1000] = 1;
        machine.Memory[(int)NewPage] = 2;
        Read(machine, LinearPage).Should().Be(1);
        Read(machine, LinearPage + 0x1000).Should().Be(1);
        return machine;
    }

    private static int SpaceAt(int space) => 0x6_0000 + space * 0x5000;

    /// <summary>Tables at an address: the first MiB as it is, but LinearPage, which leads to the page behind them, which holds a byte.</summary>
    private static void BuildSpace(FlatMachine machine, int at, byte content)
    {
        for (int level = 0; level < 3; level++)
        {
            machine.Write64(at + level * 0x1000, (ulong)(at + (level + 1) * 0x1000) | 7);
        }

        for (int page = 0; page < 256; page++)
        {
            machine.Write64(at + 0x3000 + page * 8, (ulong)page << 12 | 7);
        }

        machine.Write64(at + 0x3000 + (int)(LinearPage >> 12) * 8, (ulong)(at + 0x4000) | 7);
        machine.Memory[at + 0x4000] = content;
    }

    private static void Remap(FlatMachine machine, ulong linear, ulong page)
    {
        int entry = Table + (int)(linear >> 12) * 8;
        machine.Write64(entry, machine.Read64((ulong)entry) & 0xFFF | page);
    }

    private static void Invlpg(FlatMachine machine, ulong linear) => Run(machine, [0x0F, 0x01, 0x38], 1, rax: linear);

    private static void LoadCr3(FlatMachine machine, ulong value)
        => Run(machine, [0x0F, 0x22, 0xD8], 1, rax: value).Should().Be(ExecutionStatus.Completed);

    /// <summary>The byte that a load sees.</summary>
    private static int Read(FlatMachine machine, ulong linear)
    {
        Run(machine, [0x8A, 0x18, 0x90], 2, rax: linear).Should().Be(ExecutionStatus.Completed);
        return (byte)machine.State.General[3];
    }

    private static ExecutionStatus Run(FlatMachine machine, ReadOnlySpan<byte> code, int count, ulong rax)
    {
        machine.Load(code);
        machine.State.Rip = FlatMachine.Code;
        machine.State.General[0] = rax;
        return machine.Run(count, deliver: false).Status;
    }

    private static void SetCpl(FlatMachine machine, int cpl)
    {
        machine.State.Segments[(int)SegmentName.Ss].Access = machine.State.Segments[(int)SegmentName.Ss].Access & ~(3u << 5) | (uint)cpl << 5;
        machine.State.Segments[(int)SegmentName.Cs].Access = machine.State.Segments[(int)SegmentName.Cs].Access & ~(3u << 5) | (uint)cpl << 5;
    }
}
