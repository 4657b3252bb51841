// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

/// <summary>The model of the processor that runs the tests, made of its own CPUID, beside what Linux says about it.</summary>
public sealed class CpuinfoTests
{
    /// <summary>Words that Linux leaves out although the bit is set: because it does not use the feature, or turned it off.</summary>
    private static readonly string[] s_mayBeLeftOut =
    [
        "la57", "user_shstk", "ibt", "umip", "pku", "rtm", "hle", "sgx", "sgx_lc", "rdrand", "rdseed", "mpx", "xsaves", "vmx", "svm", "smx",
        "acpi", "monitor", "enqcmd", "pconfig", "fred", "lam", "bus_lock_detect", "split_lock_detect", "avx512_vp2intersect",
        "tme", "sev", "sev_es", "sme", "invpcid", "pcid", "cid", "amd_lbr_v2", "amd_lbr_pmc_freeze",
    ];

    [Test]
    public void Every_flag_is_a_bit_that_is_set_or_a_word_of_the_kernels()
    {
        CpuDefinition processor = Machines.Native();

        Flags().Where(flag => !processor.Has(flag) && !CpuinfoWords.TryFind(flag, out _)).Should().BeEmpty();
    }

    [Test]
    public void Every_bit_that_is_set_and_shown_is_a_flag()
    {
        CpuDefinition processor = Machines.Native();
        HashSet<string> flags = [.. Flags()];

        CpuFeatures.All.Where(feature => feature.IsShownByLinux && processor.Has(feature) && !flags.Contains(feature.Name))
            .Select(feature => feature.Name).Should().BeSubsetOf(s_mayBeLeftOut);
    }

    [Test]
    public void Word_that_follows_from_bits_is_there_only_with_one_of_them()
    {
        CpuDefinition processor = Machines.Native();
        HashSet<string> flags = [.. Flags()];

        CpuinfoWords.All.Where(word => flags.Contains(word.Name) && !word.Sources.IsEmpty && !word.Sources.Any(processor.Has))
            .Select(word => word.Name).Should().BeEmpty();
    }

    [Test]
    public void Identity_is_what_linux_shows()
    {
        CpuDefinition processor = Machines.Native();
        Dictionary<string, string> lines = Lines();

        processor.VendorName.Should().Be(lines["vendor_id"]);
        processor.BrandName.Should().Be(lines["model name"]);
        $"{processor.Signature.Family} {processor.Signature.Model} {processor.Signature.Stepping}"
            .Should().Be($"{lines["cpu family"]} {lines["model"]} {lines["stepping"]}");
        lines["address sizes"].Should().StartWith($"{processor.PhysicalAddressBits} bits physical");
    }

    [Test]
    public void Processor_does_not_contradict_itself() => Machines.Native().FindViolations().Should().BeEmpty();

    private static string[] Flags() => Lines()["flags"].Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static Dictionary<string, string> Lines() =>
        File.ReadLines("/proc/cpuinfo").TakeWhile(line => line.Length > 0)
            .Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries))
            .ToDictionary(parts => parts[0], parts => parts[1]);
}
