// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Engine.SecondChance;

namespace Vmm.Tests.Engine.SecondChance;

/// <summary>CPUID's answers to kernel mode that the engine carries.</summary>
public sealed class CarriedProcessorTests
{
    [Test]
    public void Features_on_AVX512_registers_are_absent()
    {
        CpuidEntry answer = new(7, 0, MatchIndex: true, 1, uint.MaxValue, uint.MaxValue, uint.MaxValue);

        CpuidEntry shown = CarriedProcessor.WithoutAbsent(answer);

        // AVX512F, DQ, IFMA, PF, ER, CD, BW and VL.
        (shown.Ebx & 0xDC23_0000).Should().Be(0);

        // BMI1, AVX2, BMI2, ADX and SHA.
        (shown.Ebx & 0x2008_0128).Should().Be(0x2008_0128);

        // VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG and VPOPCNTDQ.
        (shown.Ecx & 0x5F42).Should().Be(0);
    }

    /// <summary>AMD's way to CR8 outside 64-bit mode is LOCK MOV CR0, which is #UD here.</summary>
    [Test]
    public void Lock_before_a_move_of_CR0_is_absent()
    {
        CpuidEntry answer = new(0x8000_0001, 0, MatchIndex: false, 0, 0, 0x1F, 0);

        CarriedProcessor.WithoutAbsent(answer).Should().Be(answer with { Ecx = 0xF });
    }

    [Test]
    public void Components_of_absent_features_are_absent()
    {
        CpuidEntry states = new(0xD, 0, MatchIndex: true, 0x6_02E7, 0xA88, 0x2B00, 0);
        CpuidEntry registers = new(0xD, 7, MatchIndex: true, 0x400, 0x680, 0, 0);

        CarriedProcessor.WithoutAbsent(states).Should().Be(states with { Eax = 0x207 });
        CarriedProcessor.WithoutAbsent(registers).Should().Be(new CpuidEntry(0xD, 7, true, 0, 0, 0, 0));
    }

    [TestCase(0xDu, 2u)]
    [TestCase(0xDu, 9u)]
    [TestCase(0xDu, 1u)]
    [TestCase(1u, 0u)]
    [TestCase(0x8000_0001u, 0u)]
    public void What_the_executor_has_stays(uint function, uint index)
    {
        CpuidEntry answer = new(function, index, MatchIndex: true, 0x100, 0x240, 0, 0x0400_0000);

        CarriedProcessor.WithoutAbsent(answer).Should().Be(answer);
    }
}
