// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Tests.Emulation.Instructions.Paging;

/// <summary>Hand-built tables; entries at 0x1000 (top level) and following pages, the mapped page at 0x9000.</summary>
public sealed class PageWalkerTests
{
    private const ulong Cr0 = 0x8001_0001;
    private const ulong Pae = 1 << 5;
    private const ulong Pse = 1 << 4;
    private const ulong La57 = 1 << 12;
    private const ulong Smep = 1 << 20;
    private const ulong Smap = 1 << 21;
    private const ulong Pke = 1 << 22;
    private const ulong Lma = 1 << 10;
    private const ulong Nxe = 1 << 11;
    private const ulong Ac = 1 << 18;
    private const ulong Xd = 1UL << 63;

    private ArrayMemory _memory;

    [SetUp]
    public void CreateMemory() => _memory = new(new byte[0x20000]);

    [Test]
    public void Without_paging_addresses_pass()
        => Walk(new(0x11, 0, 0, 0, 0, 0, 36), 0xFFFF_F123, PageAccess.Write).Should().Be(new Translation(TranslationStatus.Mapped, 0xFFFF_F123, 0, 12));

    [Test]
    public void Four_levels_map_4K_and_set_accessed_everywhere_and_dirty_in_the_leaf()
    {
        FourLevels(leaf: 0x9007);

        Translation result = Walk(Long(), 0x123, PageAccess.Write);

        result.Should().Be(new Translation(TranslationStatus.Mapped, 0x9123, 0, 12));
        new[] { _memory[0x1000], _memory[0x2000], _memory[0x3000], _memory[0x4000] }.Should().Equal(0x2027, 0x3027, 0x4027, 0x9067);
    }

    [Test]
    public void A_probe_changes_nothing()
    {
        FourLevels(leaf: 0x9007);
        ArrayMemory memory = _memory;

        PageWalker.Probe(ref memory, Long(), 0x123, PageAccess.Write).PhysicalAddress.Should().Be(0x9123);

        new[] { _memory[0x1000], _memory[0x2000], _memory[0x3000], _memory[0x4000] }.Should().Equal(0x2007, 0x3007, 0x4007, 0x9007);
    }

    [Test]
    public void A_read_leaves_the_leaf_clean()
    {
        FourLevels(leaf: 0x9007);

        Walk(Long(), 0, PageAccess.Read);

        _memory[0x4000].Should().Be(0x9027);
    }

    [Test]
    public void A_fault_sets_no_accessed_bit()
    {
        FourLevels(leaf: 0x9005);

        Walk(Long(), 0, PageAccess.Write | PageAccess.User);

        _memory[0x1000].Should().Be(0x2007);
    }

    [Test]
    public void Four_levels_map_2M_and_1G()
    {
        _memory[0x1000] = 0x2007;
        _memory[0x2000] = 0x3007;
        _memory[0x2008] = 0x4000_0087;
        _memory[0x3008] = 0x60_0087;

        Walk(Long(), 0x20_1234, PageAccess.Read).Should().Be(new Translation(TranslationStatus.Mapped, 0x60_1234, 0, 21));
        Walk(Long(), 0x4123_4567, PageAccess.Read).Should().Be(new Translation(TranslationStatus.Mapped, 0x4123_4567, 0, 30));
    }

    [Test]
    public void Five_levels_use_bits_48_to_56()
    {
        _memory[0x1008] = 0x2007;
        _memory[0x2000] = 0x3007;
        _memory[0x3000] = 0x4007;
        _memory[0x4000] = 0x5007;
        _memory[0x5000] = 0x9007;

        Walk(Long(cr4: Pae | La57), 1UL << 48 | 0x77, PageAccess.Read).PhysicalAddress.Should().Be(0x9077);
    }

    [Test]
    public void Pae_has_four_entries_above_two_levels_and_no_accessed_bit_there()
    {
        _memory[0x1018] = 0x2001;
        _memory[0x2000] = 0x3007;
        _memory[0x3000] = 0x9007;

        Walk(new(Cr0, 0x1000, Pae, 0, 0, 0, 36), 0xC000_0042, PageAccess.Read).PhysicalAddress.Should().Be(0x9042);
        _memory[0x1018].Should().Be(0x2001);
    }

    [Test]
    public void Pae_pdpte_with_a_reserved_bit_faults()
    {
        _memory[0x1000] = 0x2003;

        Walk(new(Cr0, 0x1000, Pae, 0, 0, 0, 36), 0, PageAccess.Read).ErrorCode.Should().Be(9);
    }

    [Test]
    public void Two_levels_map_4K()
    {
        _memory.SetEntry32(0x1004, 0x2007);
        _memory.SetEntry32(0x2008, 0x9007);

        Walk(new(Cr0, 0x1000, 0, 0, 0, 0, 36), 0x40_2042, PageAccess.Write).PhysicalAddress.Should().Be(0x9042);
        _memory.Entry32(0x2008).Should().Be(0x9067);
    }

    [Test]
    public void Pse36_takes_the_upper_address_from_bits_13_to_20()
    {
        // Bit 13 is address bit 32.
        _memory.SetEntry32(0x1000, 0x0040_2087);

        Walk(new(Cr0, 0x1000, Pse, 0, 0, 0, 36), 0x1234, PageAccess.Read).Should().Be(new Translation(TranslationStatus.Mapped, 0x1_0040_1234, 0, 22));
    }

    [TestCase(1u << 21, TestName = "Pse36_bit_21_is_reserved")]
    [TestCase(1u << 17, TestName = "Pse36_bits_above_MAXPHYADDR_are_reserved")]
    public void Pse36_reserved_bits_fault(uint bit)
    {
        _memory.SetEntry32(0x1000, 0x0040_0087 | bit);

        Walk(new(Cr0, 0x1000, Pse, 0, 0, 0, 36), 0, PageAccess.Read).ErrorCode.Should().Be(9);
    }

    [Test]
    public void Without_PSE_bit_7_of_a_directory_entry_is_ignored()
    {
        _memory.SetEntry32(0x1000, 0x2087);
        _memory.SetEntry32(0x2000, 0x9007);

        Walk(new(Cr0, 0x1000, 0, 0, 0, 0, 36), 0x42, PageAccess.Read).PhysicalAddress.Should().Be(0x9042);
    }

    // Error code: P 1, W 2, U 4, RSVD 8, I 16, PK 32 (volume 3, page-fault exceptions).
    [TestCase(0x9006ul, PageAccess.Read, 0u, TestName = "Not_present")]
    [TestCase(0x9006ul, PageAccess.Write | PageAccess.User, 6u, TestName = "Not_present_for_a_user_write")]
    [TestCase(0x9005ul, PageAccess.Write | PageAccess.User, 7u, TestName = "User_write_to_a_read_only_page")]
    [TestCase(0x9005ul, PageAccess.Write, 3u, TestName = "Supervisor_write_to_a_read_only_page_with_WP")]
    [TestCase(0x9003ul, PageAccess.User, 5u, TestName = "User_read_of_a_supervisor_page")]
    [TestCase(0x9003ul | Xd, PageAccess.Execute, 17u, TestName = "Fetch_from_a_no_execute_page")]
    [TestCase(0x9007ul, PageAccess.Execute, 17u, TestName = "Supervisor_fetch_from_a_user_page_with_SMEP")]
    [TestCase(0x9007ul, PageAccess.Read, 1u, TestName = "Supervisor_read_of_a_user_page_with_SMAP")]
    [TestCase(0x9007ul, PageAccess.Read | PageAccess.Implicit, 1u, TestName = "Implicit_access_to_a_user_page_with_SMAP")]
    [TestCase(0x9007ul | 1ul << 50, PageAccess.Read, 9u, TestName = "Bit_above_MAXPHYADDR")]
    public void Faults_have_the_architectural_code(ulong leaf, PageAccess access, uint code)
    {
        FourLevels(leaf);

        Walk(Long(cr4: Pae | Smep | Smap), 0, access).Should().Be(new Translation(TranslationStatus.PageFault, 0, code, 0));
    }

    [Test]
    public void Without_WP_a_supervisor_writes_to_read_only_pages()
    {
        FourLevels(leaf: 0x9001);

        Walk(Long(cr0: 0x8000_0001), 0, PageAccess.Write).Status.Should().Be(TranslationStatus.Mapped);
    }

    [Test]
    public void AC_lets_explicit_accesses_through_SMAP_but_not_implicit_ones()
    {
        FourLevels(leaf: 0x9007);
        PagingState state = new(Cr0, 0x1000, Pae | Smap, Lma | Nxe, Ac, 0, 36);

        Walk(state, 0, PageAccess.Read).Status.Should().Be(TranslationStatus.Mapped);
        Walk(state, 0, PageAccess.Read | PageAccess.Implicit).ErrorCode.Should().Be(1);
    }

    [Test]
    public void Without_NXE_the_no_execute_bit_is_reserved()
    {
        FourLevels(leaf: 0x9007 | Xd);

        Walk(new(Cr0, 0x1000, Pae, Lma, 0, 0, 36), 0, PageAccess.Read).ErrorCode.Should().Be(9);
    }

    [Test]
    public void A_restriction_at_an_upper_level_holds_below()
    {
        FourLevels(leaf: 0x9007);
        _memory[0x2000] = 0x3005;

        Walk(Long(), 0, PageAccess.Write | PageAccess.User).ErrorCode.Should().Be(7);
    }

    // PKRU of key 5: bit 10 access-disable, bit 11 write-disable.
    [TestCase(1u << 10, PageAccess.User, 37u, TestName = "Key_denies_reads")]
    [TestCase(1u << 11, PageAccess.User | PageAccess.Write, 39u, TestName = "Key_denies_user_writes")]
    [TestCase(1u << 11, PageAccess.Write, 35u, TestName = "Key_denies_supervisor_writes_with_WP")]
    public void Protection_keys_deny(uint pkru, PageAccess access, uint code)
    {
        FourLevels(leaf: 0x9007 | 5UL << 59);

        Walk(new(Cr0, 0x1000, Pae | Pke, Lma | Nxe, 0, pkru, 36), 0, access).ErrorCode.Should().Be(code);
    }

    [Test]
    public void Protection_keys_do_not_govern_fetches()
    {
        FourLevels(leaf: 0x9007 | 5UL << 59);

        Walk(new(Cr0, 0x1000, Pae | Pke, Lma | Nxe, 0, 3u << 10, 36), 0, PageAccess.User | PageAccess.Execute).Status.Should().Be(TranslationStatus.Mapped);
    }

    [Test]
    public void PS_at_the_top_level_is_reserved()
    {
        _memory[0x1000] = 0x2087;

        Walk(Long(), 0, PageAccess.Read).ErrorCode.Should().Be(9);
    }

    [Test]
    public void Tables_outside_memory_are_not_a_fault_of_the_guest()
        => Walk(new(Cr0, 0xF_0000_0000, Pae, Lma, 0, 0, 36), 0, PageAccess.Read).Status.Should().Be(TranslationStatus.NoMemory);

    private static PagingState Long(ulong cr0 = Cr0, ulong cr4 = Pae) => new(cr0, 0x1000, cr4, Lma | Nxe, 0, 0, 36);

    private Translation Walk(PagingState state, ulong linear, PageAccess access)
    {
        ArrayMemory memory = _memory;
        return PageWalker.Translate(ref memory, in state, linear, access);
    }

    private void FourLevels(ulong leaf)
    {
        _memory[0x1000] = 0x2007;
        _memory[0x2000] = 0x3007;
        _memory[0x3000] = 0x4007;
        _memory[0x4000] = leaf;
    }
}
