// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;
using Vmm.Software;
using static Iced.Intel.AssemblerRegisters;
using static Vmm.Tests.Software.LockStepCode;

namespace Vmm.Tests.Software;

/// <summary>What lock step says about two guests that differ.</summary>
internal sealed class LockStepReportTests
{
    [Test]
    public void A_difference_is_reported_with_its_history()
    {
        using LockStepGuest left = new(new SoftwareBackend());
        using LockStepGuest right = new(new SoftwareBackend());
        foreach (LockStepGuest guest in (ReadOnlySpan<LockStepGuest>)[left, right])
        {
            Assemble(guest, a =>
            {
                Count(a, ecx);
                a.hlt();
            });
        }

        LockStep lockStep = new(left, right)
        {
            BeforeStep = step =>
            {
                if (step == 20)
                {
                    right.Cpu.SetRegister(RegisterName.R9, 0xabc);
                }
            },
        };

        string? difference = lockStep.FindDifference();

        difference.Should().NotBeNull().And.ContainAll("after 21 instructions", "R9: 0, but abc", "dec ecx", "jne").And.NotContain("RAX");
    }

    [TestCase(RegisterName.Cr2, "Cr2: 0, but abc")]
    [TestCase(RegisterName.Fs, "Fs: 0, but abc")]
    public void A_difference_beside_the_general_registers_is_reported(RegisterName register, string expected)
    {
        using LockStepGuest left = new(new SoftwareBackend());
        using LockStepGuest right = new(new SoftwareBackend());
        foreach (LockStepGuest guest in (ReadOnlySpan<LockStepGuest>)[left, right])
        {
            Assemble(guest, a =>
            {
                a.nop();
                a.hlt();
            });
        }

        right.Cpu.SetRegister(register, 0xabc);

        new LockStep(left, right).FindDifference().Should().Contain(expected);
    }

    [Test]
    public void A_difference_in_an_XMM_register_is_reported()
    {
        using LockStepGuest left = new(new SoftwareBackend());
        using LockStepGuest right = new(new SoftwareBackend());
        Assemble(left, a => a.hlt());
        Assemble(right, a => a.hlt());
        byte[] image = new byte[16384];
        right.Cpu.GetFpu(image);
        image[160 + 24] = 7;
        right.Cpu.SetFpu(image);

        new LockStep(left, right).FindDifference().Should().Contain("XMM1 high: 0, but 7");
    }

    [Test]
    public void A_difference_in_memory_is_reported_with_its_address()
    {
        using LockStepGuest left = new(new SoftwareBackend());
        using LockStepGuest right = new(new SoftwareBackend());
        Assemble(left, a => a.hlt());
        Assemble(right, a => a.hlt());
        right.MemoryAt(0x54321, 1)[0] = 9;

        new LockStep(left, right).FindDifference().Should().Be("memory at 54321: 00, but 09");
    }

    [Test]
    public void A_difference_in_what_devices_are_asked_is_reported()
    {
        using LockStepGuest left = new(new SoftwareBackend());
        using LockStepGuest right = new(new SoftwareBackend());
        Put(left, 0x20000, 1);
        Put(right, 0x20000, 2);
        foreach (LockStepGuest guest in (ReadOnlySpan<LockStepGuest>)[left, right])
        {
            Assemble(guest, a =>
            {
                a.mov(esi, 0x20000);
                a.mov(dx, 0x70);
                a.outsb();
                a.hlt();
            });
        }

        new LockStep(left, right).FindDifference().Should().Be("access 0 to a device: writes 1 to port 70.1, but writes 2 to port 70.1");
    }
}
