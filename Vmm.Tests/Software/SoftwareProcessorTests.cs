// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>The processor in software keeps what its CPUID promises, and has nothing that it does not promise.</summary>
internal sealed class SoftwareProcessorTests
{
    private const ulong Paging = 0x20;
    private const ulong Sse = 0x600;
    private const ulong SegmentBases = 1 << 16;
    private const ulong ExtendedState = 1 << 18;

    /// <summary>An instruction of each feature, in 64-bit mode at CPL 0 with RSP at 64-byte aligned memory.</summary>
    private static readonly Dictionary<string, byte[]> s_instructions = new()
    {
        ["fpu"] = [0xdb, 0xe3],
        ["tsc"] = [0x0f, 0x31],
        ["msr"] = ReadMsr(0xc0000080),
        ["cx8"] = [0x0f, 0xc7, 0x0c, 0x24],
        ["sep"] = ReadMsr(0x174),
        ["mtrr"] = ReadMsr(0xfe),
        ["mca"] = ReadMsr(0x179),
        ["pat"] = ReadMsr(0x277),
        ["tsc_adjust"] = ReadMsr(0x3b),
        ["arch_capabilities"] = ReadMsr(0x10a),
        ["cmov"] = [0x0f, 0x44, 0xc1],
        ["clflush"] = [0x0f, 0xae, 0x3c, 0x24],
        ["mmx"] = [0x0f, 0x6f, 0xc1],
        ["fxsr"] = [0x0f, 0xae, 0x04, 0x24],
        ["sse"] = [0x0f, 0x58, 0xc1],
        ["sse2"] = [0x66, 0x0f, 0x58, 0xc1],
        ["pni"] = [0xf2, 0x0f, 0x7c, 0xc1],
        ["ssse3"] = [0x66, 0x0f, 0x38, 0x00, 0xc1],
        ["sse4_1"] = [0x66, 0x0f, 0x38, 0x10, 0xc1],
        ["sse4_2"] = [0x66, 0x0f, 0x3a, 0x62, 0xc1, 0x00],
        ["pclmulqdq"] = [0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00],
        ["aes"] = [0x66, 0x0f, 0x38, 0xdc, 0xc1],
        ["sha_ni"] = [0x0f, 0x38, 0xc8, 0xc1],
        ["fma"] = [0xc4, 0xe2, 0x71, 0x98, 0xc2],
        ["avx"] = [0xc5, 0xf0, 0x58, 0xc2],
        ["avx2"] = [0xc5, 0xf5, 0xfe, 0xc2],
        ["f16c"] = [0xc4, 0xe2, 0x79, 0x13, 0xc1],
        ["cx16"] = [0x48, 0x0f, 0xc7, 0x0c, 0x24],
        ["movbe"] = [0x0f, 0x38, 0xf0, 0x04, 0x24],
        ["popcnt"] = [0xf3, 0x0f, 0xb8, 0xc1],
        ["xsave"] = [0x0f, 0xae, 0x24, 0x24],
        ["xsaveopt"] = [0x0f, 0xae, 0x34, 0x24],
        ["xsavec"] = [0x0f, 0xc7, 0x24, 0x24],
        ["xsaves"] = [0x0f, 0xc7, 0x2c, 0x24],
        ["xgetbv1"] = [0xb9, 1, 0, 0, 0, 0x0f, 0x01, 0xd0],
        ["rdrand"] = [0x0f, 0xc7, 0xf0],
        ["rdseed"] = [0x0f, 0xc7, 0xf8],
        ["fsgsbase"] = [0xf3, 0x0f, 0xae, 0xc0],
        ["bmi1"] = [0xc4, 0xe2, 0x70, 0xf2, 0xc2],
        ["bmi2"] = [0xc4, 0xe2, 0x73, 0xf5, 0xc2],
        ["erms"] = [0x31, 0xc9, 0xf3, 0xa4],
        ["fsrm"] = [0x31, 0xc9, 0xf3, 0xa4],
        ["invpcid"] = [0xb8, 2, 0, 0, 0, 0x66, 0x0f, 0x38, 0x82, 0x04, 0x24],
        ["adx"] = [0x66, 0x0f, 0x38, 0xf6, 0xc1],
        ["smap"] = [0x0f, 0x01, 0xca],
        ["clflushopt"] = [0x66, 0x0f, 0xae, 0x3c, 0x24],
        ["clwb"] = [0x66, 0x0f, 0xae, 0x34, 0x24],
        ["rdpid"] = [0xf3, 0x0f, 0xc7, 0xf8],
        ["serialize"] = [0x0f, 0x01, 0xe8],
        ["syscall"] = [0x0f, 0x05],
        ["rdtscp"] = [0x0f, 0x01, 0xf9],
        ["lahf_lm"] = [0x9f],
        ["abm"] = [0xf3, 0x0f, 0xbd, 0xc1],
        ["3dnowprefetch"] = [0x0f, 0x0d, 0x0c, 0x24],
    };

    /// <summary>Features that show in page tables, control registers, chips or time, and have no instruction of their own.</summary>
    private static readonly string[] s_withoutInstruction =
    [
        "vme", "de", "pse", "pae", "mce", "apic", "pge", "pse36", "pcid", "x2apic", "tsc_deadline_timer", "hypervisor", "smep", "umip", "nx",
        "pdpe1gb", "lm", "nonstop_tsc", "arat",
    ];

    /// <summary>What is executed with or without CPUID's word, as by processors: prefetches, hints, and what long mode implies.</summary>
    private static readonly string[] s_alwaysThere =
    [
        "fpu", "tsc", "msr", "cx8", "sep", "mtrr", "mca", "pat", "tsc_adjust", "arch_capabilities", "cmov", "clflush", "mmx", "fxsr", "sse",
        "sse2", "xsave", "erms", "fsrm", "serialize", "syscall", "lahf_lm", "3dnowprefetch", "abm",
    ];

    private static string[] Promised => SoftwareProcessor.FeatureNames.Split(' ');

    [Test]
    public void Every_promised_feature_is_looked_at() =>
        s_instructions.Keys.Concat(s_withoutInstruction).Should().BeEquivalentTo(Promised);

    [TestCaseSource(nameof(Executed))]
    public void An_instruction_of_the_feature_executes(string feature) => Run(feature, without: null).Should().Be(ExitCode.Hlt);

    [TestCaseSource(nameof(Optional))]
    public void Without_the_feature_its_instruction_is_undefined(string feature) =>
        Run(feature, without: feature).Should().Be(ExitCode.Shutdown, "there is no handler for the fault");

    [Test]
    public void Promises_do_not_contradict_each_other()
    {
        CpuDefinition definition = new(SoftwareProcessor.Entries.AsSpan());

        definition.FindViolations().Should().BeEmpty();
        definition.FindXsaveContradictions().Should().BeEmpty();
    }

    [Test]
    public void The_rate_of_the_TSC_is_told()
    {
        using SoftwareGuest guest = SoftwareGuest.LongMode([0xf4]);
        CpuDefinition definition = new(SoftwareProcessor.Entries.AsSpan());

        definition.TryGet(0x15, 0, out Vmm.Abstractions.Cpuid.CpuidEntry ratio).Should().BeTrue();

        ((ulong)ratio.Ecx * ratio.Ebx / ratio.Eax).Should().Be(1_000_000_000);
    }

    private static string[] Executed() => [.. s_instructions.Keys];

    private static string[] Optional() => [.. s_instructions.Keys.Except(s_alwaysThere)];

    private static ExitCode Run(string feature, string? without)
    {
        const uint Lstar = 0xc0000082;
        byte[] instruction = s_instructions[feature];
        using SoftwareGuest guest = SoftwareGuest.LongMode([.. instruction, 0xf4]);
        if (without is not null)
        {
            CpuDefinition definition = new(SoftwareProcessor.Entries.AsSpan());
            definition.TrySet(without, enabled: false, CpuDependencyPolicy.Repair, []).Should().BeTrue();
            guest.Cpu.SetCpuid(definition.Entries.AsSpan());
        }

        guest.Cpu.SetRegister(RegisterName.Cr4, Paging | Sse | SegmentBases | ExtendedState);
        guest.Cpu.SetRegister(RegisterName.Efer, 0x501);
        guest.Cpu.SetRegister(RegisterName.Xcr0, 7);
        guest.Cpu.TrySetMsr(new MsrIndex(Lstar), BackendGuest.CodeAddress + (ulong)instruction.Length);
        guest.Cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(0, 0, default));
        return guest.Run().Code;
    }

    private static byte[] ReadMsr(uint index) => [0xb9, .. BitConverter.GetBytes(index), 0x0f, 0x32];
}
