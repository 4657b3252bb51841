// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using ExecutorFeatures = Vmm.Emulation.Instructions.Execution.CpuFeatures;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>What CPUID entries mean for the executor, and what instructions need of a vCPU.</summary>
public sealed class CpuidFeaturesTests
{
    [Test]
    public void Features_are_read_from_their_leaves()
    {
        CpuidEntry[] entries =
        [
            new(1, 0, false, 0, 0, (1u << 23) | (1u << 13), 1u << 11),
            new(7, 0, true, 0, 1u << 20, 0, 0),
            new(0xd, 1, true, 2, 0, 0, 0),
            new(0x80000001, 0, false, 0, 0, 1u << 5, 1u << 29),
        ];

        CpuidFeatures.Read(entries).Should().Be(
            ExecutorFeatures.Popcnt | ExecutorFeatures.Cmpxchg16b | ExecutorFeatures.Sysenter | ExecutorFeatures.Smap
            | ExecutorFeatures.Xsavec | ExecutorFeatures.Lzcnt | ExecutorFeatures.LongMode);
    }

    [Test]
    public void Without_entries_there_are_no_features()
    {
        CpuidFeatures.Read([]).Should().Be(ExecutorFeatures.None);
        CpuidFeatures.PhysicalAddressBits([]).Should().Be(36);
    }

    [TestCase(0x3027u, 39)]
    [TestCase(0xffu, 52)]
    [TestCase(0x10u, 32)]
    public void Physical_address_bits_stay_within_the_architecture(uint eax, int expected) =>
        CpuidFeatures.PhysicalAddressBits([new(0x80000008, 0, false, eax, 0, 0, 0)]).Should().Be(expected);

    [TestCase("GenuineIntel", CpuVendor.Intel)]
    [TestCase("AuthenticAMD", CpuVendor.Amd)]
    [TestCase("HygonGenuine", CpuVendor.Amd)]
    [TestCase("CentaurHauls", CpuVendor.Unknown)]
    public void The_vendor_is_the_one_that_leaf_0_names(string name, CpuVendor expected)
    {
        ReadOnlySpan<uint> parts = MemoryMarshal.Cast<byte, uint>(System.Text.Encoding.ASCII.GetBytes(name));

        CpuidFeatures.Vendor([new(0, 0, false, 0x10, parts[0], parts[2], parts[1])]).Should().Be(expected);
    }

    [Test]
    public void An_index_counts_only_where_the_entry_says_so()
    {
        CpuidEntry[] entries = [new(0xd, 0, true, 1, 0, 0, 0), new(0xd, 2, true, 3, 0, 0, 0), new(2, 0, false, 4, 0, 0, 0)];

        CpuidFeatures.Find(entries, 0xd, 2).Eax.Should().Be(3);
        CpuidFeatures.Find(entries, 0xd, 1).Eax.Should().Be(0);
        CpuidFeatures.Find(entries, 2, 9).Eax.Should().Be(4);
    }

    [TestCase("90", StateNeeds.None)]
    [TestCase("c4e2f0f2c1", StateNeeds.None, Description = "andn rax, rcx, rcx")]
    [TestCase("0f58c1", StateNeeds.Extended, Description = "addps")]
    [TestCase("c5f810c1", StateNeeds.Extended | StateNeeds.Xcr0, Description = "vmovups")]
    [TestCase("0fae20", StateNeeds.Extended | StateNeeds.Xcr0, Description = "xsave")]
    [TestCase("0f01f8", StateNeeds.KernelGsBase, Description = "swapgs")]
    [TestCase("0f05", StateNeeds.Syscall)]
    [TestCase("0f20c0", StateNeeds.None, Description = "mov rax, cr0")]
    [TestCase("0f20e0", StateNeeds.None, Description = "mov rax, cr4")]
    [TestCase("0f22e0", StateNeeds.ControlBits, Description = "mov cr4, rax")]
    [TestCase("440f20c0", StateNeeds.TaskPriority, Description = "mov rax, cr8")]
    [TestCase("0f21c0", StateNeeds.Debug, Description = "mov rax, dr0")]
    [TestCase("f4", StateNeeds.Idle)]
    [TestCase("0f01c9", StateNeeds.Monitoring, Description = "mwait")]
    [TestCase("0f31", StateNeeds.TimeStamp, Description = "rdtsc")]
    [TestCase("0f33", StateNeeds.Counters, Description = "rdpmc")]
    [TestCase("f390", StateNeeds.Spinning, Description = "pause")]
    [TestCase("0f30", StateNeeds.Msrs, Description = "wrmsr")]
    [TestCase("0fa2", StateNeeds.Identification)]
    [TestCase("48cf", StateNeeds.NmiUnblocking, Description = "iretq")]
    [TestCase("0f0138", StateNeeds.Caches, Description = "invlpg")]
    public void Needs_follow_the_instruction(string bytes, StateNeeds expected)
    {
        Decoder.Decode(Convert.FromHexString(bytes), CodeSize.Bits64, out Instruction instruction).Should().Be(DecodeStatus.Decoded);

        instruction.Needs.Should().Be(expected);
    }

    [Test]
    public void Every_mnemonic_has_its_number()
    {
        Decoder.Decode([0xf3, 0x0f, 0xb8, 0xc1], CodeSize.Bits64, out Instruction instruction);

        Instruction.MnemonicOf(instruction.MnemonicNumber).Should().Be("Popcnt").And.Be(instruction.Mnemonic);
        instruction.MnemonicNumber.Should().BeInRange(0, Instruction.Mnemonics - 1);
    }
}
