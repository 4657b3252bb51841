// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>Instructions of features that the processor in software does not promise raise #UD, in 64-bit mode at CPL 0.</summary>
internal sealed class UnpromisedInstructionTests
{
    private const uint InvalidOpcode = 6;

    private static readonly (string Feature, string Bytes)[] s_instructions =
    [
        ("monitor", "0f01c8"),
        ("monitor", "0f01c9"),
        ("monitorx", "0f01fa"),
        ("monitorx", "0f01fb"),
        ("vmx", "0f01c1"),
        ("vmx", "0f01c2"),
        ("vmx", "f30fc73424"),
        ("svm", "0f01d8"),
        ("svm", "0f01d9"),
        ("svm", "0f01dc"),
        ("smx", "0f37"),
        ("avx512f", "62f1744858c2"),
        ("avx512f", "c5f847c8"),
        ("avx_vnni", "c4e27150c2"),
        ("avx_ifma", "c4e2f1b4c2"),
        ("gfni", "660f38cfc1"),
        ("gfni", "c4e271cfc2"),
        ("vaes", "c4e275dcc2"),
        ("vpclmulqdq", "c4e37544c200"),
        ("sse4a", "660f79c1"),
        ("sse4a", "f20f79c1"),
        ("fma4", "c4e37169c220"),
        ("xop", "8fe97881c1"),
        ("tbm", "8fe97801c9"),
        ("3dnow", "0f0fc19e"),
        ("rtm", "c7f800000000"),
        ("rtm", "0f01d5"),
        ("rtm", "0f01d6"),
        ("pku", "0f01ee"),
        ("movdiri", "0f38f90424"),
        ("movdir64b", "660f38f80424"),
        ("enqcmd", "f20f38f80424"),
        ("waitpkg", "660faef0"),
        ("waitpkg", "f30faef0"),
        ("ptwrite", "f30fae2424"),
        ("amx_tile", "c4e278490424"),
        ("aeskle", "f30f38fac1"),
        ("uintr", "f30f01ee"),
        ("hreset", "f30f3af0c000"),
        ("sgx", "0f01cf"),
        ("sgx", "0f01d7"),
        ("pconfig", "0f01c5"),
        ("cmpccxadd", "c4e271e00424"),
        ("clzero", "0f01fc"),
        ("rdpru", "0f01fd"),
        ("invlpgb", "0f01fe"),
        ("invlpgb", "0f01ff"),
        ("shstk", "f30faee8"),
        ("shstk", "0f38f60424"),
    ];

    [TestCaseSource(nameof(Cases))]
    public void Its_instruction_does_not_exist(string feature, string bytes)
    {
        using LongModeMachine guest = new(new SoftwareBackend());
        guest.Write(LongModeMachine.Code, [.. Convert.FromHexString(bytes), 0x90, 0x90, 0xf4]);

        VmExit exit = guest.Run();

        exit.Code.Should().Be(ExitCode.Inout, $"{feature}: {exit}");
        exit.Port.Port.Should().Be(LongModeMachine.FaultPort);
        exit.Port.Eax.Should().Be(InvalidOpcode);
    }

    [TestCaseSource(nameof(Cases))]
    public void Its_feature_is_not_promised(string feature, string bytes)
    {
        CpuDefinition processor = new(SoftwareProcessor.Entries.AsSpan());
        if (CpuFeatures.TryFind(feature, out CpuFeature found))
        {
            processor.Has(in found).Should().BeFalse($"{bytes} is of it");
        }
    }

    private static IEnumerable<TestCaseData> Cases() =>
        s_instructions.Select(line => new TestCaseData(line.Feature, line.Bytes).SetArgDisplayNames(line.Feature, line.Bytes));
}
