// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Tests.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Msr;

public sealed class MsrFileTests
{
    private const MsrOutcome Ok = MsrOutcome.Handled;
    private const MsrOutcome Gp = MsrOutcome.GeneralProtection;
    private const MsrOutcome No = MsrOutcome.Unhandled;

    [TestCase(0xfeu, 0x50aul, TestName = "MTRRcap: ten variable ranges, fixed ones, write combining")]
    [TestCase(0x277u, 0x0007040600070406ul, TestName = "PAT after reset")]
    [TestCase(0x3au, 1ul, TestName = "FEATURE_CONTROL is locked")]
    [TestCase(0xceu, 0x0000_1900_0000_1900ul, TestName = "PLATFORM_INFO has the ratio twice")]
    [TestCase(0x1adu, 0x1919191919191919ul, TestName = "TURBO_RATIO_LIMIT has the ratio in each byte")]
    [TestCase(0x1aeu, 0x1919191919191919ul, TestName = "TURBO_RATIO_LIMIT1 too")]
    [TestCase(0x1a0u, 0x1801ul, TestName = "MISC_ENABLE: BTS and PEBS unavailable, no MONITOR, no SpeedStep")]
    [TestCase(0x179u, 0ul, TestName = "MCG_CAP without banks")]
    [TestCase(0x17au, 0ul, TestName = "MCG_STATUS without banks")]
    [TestCase(0xc0010010u, 0ul, TestName = "SYSCFG")]
    [TestCase(0xc0010055u, 0ul, TestName = "INT_PENDING_MESSAGE")]
    [TestCase(0xc0011005u, 0ul, TestName = "CPUID_EXT_FEATURES")]
    [TestCase(0xc0011029u, 2ul, TestName = "DE_CFG: LFENCE orders")]
    public void Register_reads(uint index, ulong value)
    {
        MsrFile file = new(new MsrFileOptions { TscFrequency = 2_500_000_000, HostMiscEnable = 1 | 1 << 16 | 1 << 18 });

        file.Read(new MsrIndex(index), 0, out ulong found).Should().Be(Ok);
        found.Should().Be(value);
    }

    [TestCase(0x277u, 0x0001040506070001ul, Ok, TestName = "PAT takes the six types")]
    [TestCase(0x277u, 0x02ul, Gp, TestName = "PAT does not take type 2")]
    [TestCase(0x277u, 0x0300000000000000ul, Gp, TestName = "PAT does not take type 3")]
    [TestCase(0x277u, 0x08ul, Gp, TestName = "PAT does not take type 8")]
    [TestCase(0xfeu, 0x50aul, Gp, TestName = "MTRRcap cannot be written")]
    [TestCase(0x2ffu, 0xc06ul, Ok, TestName = "Default type: both enables, write back")]
    [TestCase(0x2ffu, 0x1000ul, Gp, TestName = "Default type: reserved bit 12")]
    [TestCase(0x2ffu, 0xc07ul, Gp, TestName = "Default type: UC- is none of the MTRRs'")]
    [TestCase(0x200u, 0x000ffffffffff006ul, Ok, TestName = "Base: address and type")]
    [TestCase(0x200u, 0x100ul, Gp, TestName = "Base: reserved bit 8")]
    [TestCase(0x200u, 0x0010000000000000ul, Gp, TestName = "Base: beyond 52 bits")]
    [TestCase(0x213u, 0x000ffffffffff800ul, Ok, TestName = "Mask: address and valid bit")]
    [TestCase(0x213u, 0x400ul, Gp, TestName = "Mask: reserved bit 10")]
    [TestCase(0x214u, 0ul, No, TestName = "An eleventh range does not exist")]
    [TestCase(0x250u, 0x0606060606060606ul, Ok, TestName = "Fixed: write back")]
    [TestCase(0x26fu, 0x0606060606060206ul, Gp, TestName = "Fixed: a type 2")]
    [TestCase(0x3au, 1ul, Gp, TestName = "FEATURE_CONTROL: locked")]
    [TestCase(0x1a0u, 0x1801ul, Ok, TestName = "MISC_ENABLE: unchanged")]
    [TestCase(0x1a0u, 0x4_0000_1801ul, Ok, TestName = "MISC_ENABLE: execute disable may differ")]
    [TestCase(0x1a0u, 0x1800ul, No, TestName = "MISC_ENABLE: changed is another layer's")]
    [TestCase(0xceu, 0ul, No, TestName = "PLATFORM_INFO: another layer's")]
    [TestCase(0x179u, 5ul, Ok, TestName = "MCG_CAP is ignored")]
    [TestCase(0x17au, 0xffful, Ok, TestName = "MCG_STATUS is ignored without banks")]
    [TestCase(0x400u, 0ul, Gp, TestName = "Without banks there is no bank 0")]
    [TestCase(0xc0010020u, 0x1234ul, Ok, TestName = "Microcode updates are ignored")]
    [TestCase(0x1bu, 0ul, No, TestName = "APIC_BASE is the chip's")]
    [TestCase(0x808u, 0ul, No, TestName = "x2APIC registers are the chip's")]
    [TestCase(0xc0000080u, 0ul, No, TestName = "EFER is the hypervisor's")]
    [TestCase(0x7777u, 0ul, No, TestName = "Unknown")]
    public void Register_is_written(uint index, ulong value, MsrOutcome outcome) =>
        new MsrFile(new MsrFileOptions()).Write(new MsrIndex(index), value, 0).Should().Be(outcome);

    [TestCase(0x175u, 0x00007ffffffffffful, Ok)]
    [TestCase(0x175u, 0x0080000000000000ul, Ok)]
    [TestCase(0x175u, 0x0100000000000000ul, Gp)]
    [TestCase(0xc0000082u, 0xff00000000000000ul, Ok)]
    [TestCase(0xc0000084u, 0x1_0000_0000ul, Gp)]
    [TestCase(0xc0000103u, 0xffff_fffful, Ok)]
    [TestCase(0xc0000103u, 0x1_0000_0000ul, Gp)]
    [TestCase(0x48u, 0x7ul, Ok)]
    [TestCase(0x48u, 0x8000ul, Gp)]
    [TestCase(0x49u, 1ul, Ok)]
    [TestCase(0x49u, 2ul, Gp)]
    [TestCase(0x10au, 0ul, Gp)]
    [TestCase(0x12u, 0x1001ul, Ok)]
    [TestCase(0x12u, 0x1002ul, Gp)]
    [TestCase(0x4b564d03u, 0x1001ul, Ok)]
    [TestCase(0x4b564d03u, 0x1021ul, Gp)]
    [TestCase(0x6a0u, 0x40ul, Gp)]
    public void Hypervisors_register_is_written_where_there_is_none(uint index, ulong value, MsrOutcome outcome) =>
        new MsrFile(new MsrFileOptions { ServesHypervisorLayer = true }).Write(new MsrIndex(index), value, 0).Should().Be(outcome);

    // AMD APM volume 2, extended feature enable register.
    [TestCase(0x001ul, false, 0xffful, true, 0x001ul, TestName = "SCE")]
    [TestCase(0x0feul, false, 0ul, true, 0x000ul, TestName = "Bits 1 to 7 read as zero")]
    [TestCase(0x200ul, false, 0ul, false, 0ul, TestName = "Bit 9 is reserved")]
    [TestCase(0x1_0000ul, false, 0ul, false, 0ul, TestName = "Bit 16 is reserved")]
    [TestCase(0x2000ul, false, ulong.MaxValue, false, 0ul, TestName = "LMSLE is refused")]
    [TestCase(0x800ul, false, 0x800ul, true, 0x800ul, TestName = "NXE with the capability")]
    [TestCase(0x800ul, false, 0ul, false, 0ul, TestName = "NXE without it")]
    [TestCase(0x4000ul, false, 0x800ul, false, 0ul, TestName = "FFXSR without it")]
    [TestCase(0x8000ul, false, 0x800ul, false, 0ul, TestName = "TCE without it")]
    [TestCase(0x100ul, false, 0ul, true, 0x100ul, TestName = "LME before paging")]
    [TestCase(0x500ul, true, 0ul, false, 0ul, TestName = "LME may not change while paging")]
    [TestCase(0x400ul, false, 0ul, false, 0ul, TestName = "LMA without LME and paging")]
    public void Efer_is_checked(ulong value, bool isPaging, ulong capabilities, bool isAllowed, ulong result)
    {
        MsrChecks.TryWriteEfer(0, value, isPaging, capabilities, out ulong found).Should().Be(isAllowed);
        (isAllowed ? found : 0).Should().Be(result);
    }

    [Test]
    public void Efer_keeps_long_mode_while_paging() =>
        MsrChecks.TryWriteEfer(0x500, 0x501, isPaging: true, 0, out _).Should().BeTrue();

    [Test]
    public void Feature_control_can_be_written_until_it_is_locked()
    {
        MsrFile file = new(new MsrFileOptions { Initial = [new MsrEntry(new MsrIndex(0x3a), 0)] });

        file.Write(new MsrIndex(0x3a), 8, 0).Should().Be(Gp, "bit 3 is reserved");
        file.Write(new MsrIndex(0x3a), 5, 0).Should().Be(Ok);
        file.Write(new MsrIndex(0x3a), 5, 0).Should().Be(Gp);
    }

    [Test]
    public void Writing_the_counter_moves_its_offset_and_the_adjustment()
    {
        MsrFile file = new(new MsrFileOptions());

        file.Write(new MsrIndex(0x10), 1000, hostTsc: 5000).Should().Be(Ok);

        file.Read(new MsrIndex(0x10), 5010, out ulong counter);
        file.Read(new MsrIndex(0x3b), 5010, out ulong adjustment);
        (counter, adjustment).Should().Be((1010, unchecked((ulong)-4000)));
    }

    [Test]
    public void Writing_the_adjustment_moves_the_counter_by_the_difference()
    {
        MsrFile file = new(new MsrFileOptions());
        file.Write(new MsrIndex(0x3b), 100, 0);
        file.Write(new MsrIndex(0x3b), 70, 0);

        file.Read(new MsrIndex(0x10), 1000, out ulong counter);

        (counter, file.TscOffset).Should().Be((1070, 70));
    }

    [Test]
    public void Banks_exist_as_far_as_there_are_any()
    {
        MsrFile file = new(new MsrFileOptions { MachineCheckBanks = 2 });

        file.Read(new MsrIndex(0x179), 0, out ulong capabilities).Should().Be(Ok);
        capabilities.Should().Be(0x102);
        file.Write(new MsrIndex(0x404), ulong.MaxValue, 0).Should().Be(Ok);
        file.Write(new MsrIndex(0x404), 1, 0).Should().Be(Gp);
        file.Write(new MsrIndex(0x405), 0, 0).Should().Be(Ok);
        file.Write(new MsrIndex(0x405), 1, 0).Should().Be(Gp);
        file.Write(new MsrIndex(0x408), 0, 0).Should().Be(Gp);
        file.Write(new MsrIndex(0x17a), 8, 0).Should().Be(Gp);
        file.Write(new MsrIndex(0x17b), 0, 0).Should().Be(Ok);
    }

    [TestCase(-1)]
    [TestCase(33)]
    public void Banks_are_at_most_32(int banks)
    {
        Action make = () => _ = new MsrFile(new MsrFileOptions { MachineCheckBanks = banks });

        make.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Register_of_a_missing_feature_faults()
    {
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        definition.TrySet("pat", false, CpuDependencyPolicy.Repair, []);
        definition.TrySet("xsaves", false, CpuDependencyPolicy.Repair, []);
        MsrFile file = new(new MsrFileOptions { Definition = definition, ServesHypervisorLayer = true });

        file.Read(new MsrIndex(0x277), 0, out _).Should().Be(Gp);
        file.Write(new MsrIndex(0xda0), 0, 0).Should().Be(Gp);
        file.Read(new MsrIndex(0xc0011029), 0, out _).Should().Be(No, "it is AMD's");
    }

    [Test]
    public void Extended_state_is_limited_to_what_cpuid_lists()
    {
        CpuDefinition definition = new(Machines.Everything("GenuineIntel"));
        MsrFile file = new(new MsrFileOptions { Definition = definition, ServesHypervisorLayer = true });

        file.Write(new MsrIndex(0xda0), 0x1800, 0).Should().Be(Ok);
        file.Write(new MsrIndex(0xda0), 4, 0).Should().Be(Gp, "AVX is XCR0's");
        file.Write(new MsrIndex(0x200), 1UL << 46, 0).Should().Be(Gp, "physical addresses have 46 bits");
    }

    [Test]
    public void Command_cannot_be_read() =>
        new MsrFile(new MsrFileOptions { ServesHypervisorLayer = true }).Read(new MsrIndex(0x49), 0, out _).Should().Be(Gp);

    [Test]
    public void Reset_restores_everything_but_time()
    {
        MsrFile file = new(new MsrFileOptions());
        file.Write(new MsrIndex(0x277), 0, 0);
        file.Write(new MsrIndex(0x10), 500, 0);

        file.Reset();

        file.Read(new MsrIndex(0x277), 0, out ulong pat);
        file.Read(new MsrIndex(0x10), 0, out ulong counter);
        (pat, counter).Should().Be((0x0007040600070406, 500));
    }

    [Test]
    public void Any_access_is_answered_and_what_is_kept_was_accepted([Range(1, 10)] int seed)
    {
        Random random = new(seed);
        MsrFile file = new(new MsrFileOptions
        {
            ServesHypervisorLayer = true,
            MachineCheckBanks = random.Next(33),
            Definition = seed % 3 == 0 ? null : new CpuDefinition(Machines.Everything(seed % 2 == 0 ? "GenuineIntel" : "AuthenticAMD")),
        });
        for (int access = 0; access < 20_000; access++)
        {
            MsrIndex index = random.Next(4) == 0
                ? new MsrIndex((uint)random.NextInt64())
                : MsrRegistry.All[random.Next(MsrRegistry.All.Length)].Index;
            ulong value = (ulong)random.NextInt64() >> random.Next(64);
            MsrOutcome read = file.Read(index, 1, out ulong before);
            MsrOutcome written = file.Write(index, value, 1);
            MsrOutcome again = file.Read(index, 1, out ulong after);

            again.Should().Be(read);
            bool isCounted = index.Value is 0x10 or 0x3b;
            (written == Ok || after == before).Should().BeTrue($"{index} was not written, but changed");
            (read != Gp || written != Ok || MsrRegistry.All[MsrRegistry.NumberOf(index)].Rule == MsrRule.Command).Should().BeTrue();
            (isCounted || after == before || after == value || index.Value == 0xc0000080).Should().BeTrue();
        }
    }

    [Test]
    public void Accesses_allocate_nothing()
    {
        MsrFile file = new(new MsrFileOptions { ServesHypervisorLayer = true, MachineCheckBanks = 10 });
        MsrOutcome last = Touch(file);
        long before = GC.GetAllocatedBytesForCurrentThread();

        last |= Touch(file);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        last.Should().NotBe(Ok);
    }

    private static MsrOutcome Touch(MsrFile file)
    {
        MsrOutcome all = Ok;
        foreach (MsrDescription description in MsrRegistry.All)
        {
            all |= file.Read(description.Index, 1, out _) | file.Write(description.Index, 3, 1) | file.Write(description.Index, ulong.MaxValue, 1);
        }

        return all;
    }
}
