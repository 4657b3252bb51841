// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>
/// A repeated instruction gives the backend the vCPU back after as much work as a batch of others is: kicks, events, and whoever wants
/// memory for himself wait for no longer.
/// </summary>
internal sealed class RepeatedInstructionTests
{
    private const ulong Upwards = 0x4000_0000;
    private const ulong Downwards = 0x70_0000_0000;
    private const ulong Many = 0x60_0000_0000;

    /// <summary>What one run of the vCPU may do, in elements of a byte: 4 MiB, which the host fills in less than a millisecond.</summary>
    private const ulong Most = 4 << 20;

    [TestCase(new byte[] { 0xfc, 0xf3, 0xaa }, Upwards, TestName = "REP_STOSB")]
    [TestCase(new byte[] { 0xfc, 0xf3, 0xa4 }, Upwards, TestName = "REP_MOVSB")]
    [TestCase(new byte[] { 0xfd, 0xf3, 0xa4 }, Downwards, TestName = "REP_MOVSB_downwards")]
    [TestCase(new byte[] { 0xfc, 0xf3, 0xac }, Upwards, TestName = "REP_LODSB")]
    [TestCase(new byte[] { 0xfc, 0xf2, 0xae }, Upwards, TestName = "REPNE_SCASB")]
    [TestCase(new byte[] { 0xfc, 0xf3, 0xa6 }, Upwards, TestName = "REPE_CMPSB")]
    public void A_run_does_a_bounded_part_of_a_repeated_instruction(byte[] code, ulong first)
    {
        using SoftwareGuest guest = Begin(code, first);
        guest.Cpu.SetRegister(RegisterName.Rcx, Many);
        VmExit exit = default;

        guest.Cpu.Run(ref exit);

        exit.Code.Should().Be(ExitCode.Bogus);
        (Many - guest.Cpu.GetRegister(RegisterName.Rcx)).Should().BeInRange(1, Most);
    }

    [Test]
    public void A_run_does_a_bounded_number_of_repeated_instructions_that_complete()
    {
        // cld; L: mov ecx,0x10000; rep stosb; inc rdx; jmp L
        using SoftwareGuest guest = Begin([0xfc, 0xb9, 0, 0, 1, 0, 0xf3, 0xaa, 0x48, 0xff, 0xc2, 0xeb, 0xf4], Upwards);
        VmExit exit = default;

        guest.Cpu.Run(ref exit);

        exit.Code.Should().Be(ExitCode.Bogus);
        (guest.Cpu.GetRegister(RegisterName.Rdx) << 16).Should().BeInRange(1, Most);
    }

    /// <summary>A guest whose addresses from 1 GiB up are all the same 2 MiB, which nothing else is in: both strings are equal.</summary>
    private static SoftwareGuest Begin(byte[] code, ulong first)
    {
        const ulong Pointers = 0x11000;
        const ulong Directory = 0x30000;
        const ulong Scratch = 0x200000;
        SoftwareGuest guest = SoftwareGuest.LongMode(code);
        for (ulong entry = 0; entry < 512; entry++)
        {
            Write(Directory + (entry * 8), Scratch | 0x83);
        }

        for (ulong gigabyte = 1; gigabyte < 512; gigabyte++)
        {
            Write(Pointers + (gigabyte * 8), Directory | 3);
        }

        guest.PlaceMore(Scratch, 0x200000);
        guest.Cpu.SetRegister(RegisterName.Rdi, first);
        guest.Cpu.SetRegister(RegisterName.Rsi, first + 0x200000);
        guest.Cpu.SetRegister(RegisterName.Rax, 1);
        guest.Cpu.SetRegister(RegisterName.Rdx, 0);
        return guest;

        void Write(ulong address, ulong value) =>
            BinaryPrimitives.WriteUInt64LittleEndian(guest.MemoryAt(address, sizeof(ulong)), value);
    }
}
