// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Repeated CMPS and SCAS end where they end element by element, which a set trap flag makes them do.</summary>
public sealed class StringSearchTests
{
    private const int First = 0x4_0000;
    private const int Second = 0x5_0000;
    private const ulong IgnoredFlags = 0x1_0100;

    [Test]
    public void Repeated_compares_and_scans_end_as_they_do_element_by_element(
        [Values(0xF2, 0xF3)] int repeat, [Values("A6", "A7", "66A7", "48A7", "AE", "AF", "66AF", "48AF")] string code, [Values] bool downwards)
    {
        Random random = new(repeat + code.Length);
        byte[] instruction = [(byte)repeat, .. Convert.FromHexString(code)];
        for (int n = 0; n < 200; n++)
        {
            FlatMachine whole = Prepared(random.Next(), instruction, downwards);
            FlatMachine single = Prepared(0, instruction, downwards);
            whole.Memory.CopyTo(single.Memory);
            single.State.General = whole.State.General;
            single.State.Rflags = whole.State.Rflags | 0x100;

            whole.Run(1, deliver: false);
            for (int step = 0; step < 5000 && single.State.Rip == FlatMachine.Code; step++)
            {
                single.Step();
            }

            Describe(whole).Should().Be(Describe(single));
        }
    }

    /// <summary>
    /// What is behind the page of the string is not there: the fault is that of the first element in it. The flags are those of the CMP in
    /// front on Intel's processors (volume 2, REP), and those of the last element that completed on AMD's, in blocks and their translations too.
    /// </summary>
    [Test]
    public void Scan_into_a_page_that_is_absent_stops_in_front_of_it([Values] bool amd, [Values(1, 2)] int run)
    {
        // cmp eax, edx; repne scasb
        FlatMachine machine = PagedWithout(0x50);
        machine.Load(0x39, 0xD0, 0xF2, 0xAE);
        machine.Memory.Slice(0x4_FF00, 0x100).Fill(7);
        machine.State.Vendor = amd ? CpuVendor.Amd : CpuVendor.Intel;
        machine.State.TranslatesAfter = 1;

        ExecutionResult result = default;
        for (int n = 0; n < run; n++)
        {
            machine.State.General[0] = 9;
            machine.State.General[1] = 0x1000;
            machine.State.General[2] = 9;
            machine.State.General[7] = 0x4_FFF0;
            machine.State.Rip = FlatMachine.Code;
            result = machine.Run(2, deliver: false);
        }

        (result.Status, result.Vector, result.FaultAddress).Should().Be((ExecutionStatus.Fault, (byte)14, 0x5_0000UL));
        (machine.State.General[1], machine.State.General[7], machine.State.Rip).Should().Be((0xFF0UL, 0x5_0000UL, FlatMachine.Code + 2));
        (machine.State.Rflags & 0x40).Should().Be(amd ? 0UL : 0x40, "9 and 9 were equal, 9 and 7 differ");
    }

    /// <summary>What the handler returns to is begun anew, with the flags that it returned.</summary>
    [Test]
    public void Flags_from_before_are_those_of_the_last_return_to_a_comparison()
    {
        // repne scasb, downwards in turns of 4096 elements; iretq
        FlatMachine machine = PagedWithout(0x4F);
        machine.Load(0xF2, 0xAE);
        machine.Memory[(int)FlatMachine.Handler + 32 * 16] = 0x48;
        machine.Memory[(int)FlatMachine.Handler + 32 * 16 + 1] = 0xCF;
        machine.State.General[0] = 1;
        machine.State.General[1] = 0x3000;
        machine.State.General[7] = 0x5_1FFF;
        machine.State.Rflags = 0xCD7;
        machine.Run(1, deliver: false);
        machine.State.General[1].Should().BeInRange(1, 0x2FFF, "it is not at its end");

        machine.Deliver(32).Status.Should().Be(ExecutionStatus.Completed);
        ExecutionResult result = machine.Run(4, deliver: false);

        (result.Status, result.Vector, result.FaultAddress).Should().Be((ExecutionStatus.Fault, (byte)14, 0x4_FFFFUL));
        (machine.State.Rflags & 0x8D5).Should().Be(0, "1 less 0 sets none");
    }

    private static FlatMachine PagedWithout(int absent)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Write64(0xE000, 0xF007);
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0xF000 + page * 8, page == absent ? 0 : (ulong)page << 12 | 7);
        }

        machine.State.FlushTranslations();
        return machine;
    }

    private static FlatMachine Prepared(int seed, byte[] instruction, bool downwards)
    {
        Random random = new(seed);
        FlatMachine machine = FlatMachine.Long();
        machine.Load(instruction);

        // Equal for a while, or from some place on.
        byte common = (byte)random.Next(3);
        machine.Memory.Slice(First, 0x4000).Fill(common);
        machine.Memory.Slice(Second, 0x4000).Fill(common);
        for (int n = random.Next(4); n > 0; n--)
        {
            machine.Memory[Second + random.Next(0x4000)] = (byte)random.Next(3);
        }

        machine.State.General[0] = random.Next(2) == 0 ? common * 0x0101_0101_0101_0101UL : 0x0201_0003_0007_0001;
        machine.State.General[1] = (ulong)random.Next(0x400);
        machine.State.General[6] = First + 0x2000UL + (ulong)random.Next(0x1000);
        machine.State.General[7] = Second + 0x2000UL + (ulong)random.Next(0x1000);
        machine.State.Rflags = 2 | (downwards ? 0x400UL : 0) | (random.Next(2) == 0 ? 0x8D5UL : 0);
        return machine;
    }

    private static string Describe(FlatMachine machine)
        => $"{machine.State.Rip:x} {machine.State.Rflags & ~IgnoredFlags:x} {machine.State.General[1]:x} {machine.State.General[6]:x} {machine.State.General[7]:x}";
}
