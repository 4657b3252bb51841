// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Cpuid;

/// <summary>Models given to KVM and read back, by the host and by a guest.</summary>
[Category("Kvm")]
public sealed class CpuidKvmTests
{
    private const int MaximumQueries = 300;
    private const ulong Answers = KvmGuest.DataAddress + 0x4000;

    // rsi: queries, rdi: answers, ebp: how many. Each query is a function and an index, each answer four registers.
    private static readonly byte[] s_enumerate =
    [
        0xbe, 0x00, 0x00, 0x02, 0x00,       // mov esi, 0x20000
        0xbf, 0x00, 0x40, 0x02, 0x00,       // mov edi, 0x24000
        0x8b, 0x06,                         // next: mov eax, [rsi]
        0x8b, 0x4e, 0x04,                   // mov ecx, [rsi+4]
        0x0f, 0xa2,                         // cpuid
        0x89, 0x07,                         // mov [rdi], eax
        0x89, 0x5f, 0x04,                   // mov [rdi+4], ebx
        0x89, 0x4f, 0x08,                   // mov [rdi+8], ecx
        0x89, 0x57, 0x0c,                   // mov [rdi+12], edx
        0x83, 0xc6, 0x08,                   // add esi, 8
        0x83, 0xc7, 0x10,                   // add edi, 16
        0xff, 0xcd,                         // dec ebp
        0x75, 0xe4,                         // jnz next
        0xf4,                               // hlt
    ];

    /// <summary>
    /// What a PVM host shows guests whatever their model says: code in user mode runs on the processor itself and could find
    /// most of it out anyway. Leaf 0xD is PVM's own as well.
    /// </summary>
    private static readonly string[] s_shownByPvm =
    [
        .. "fpu vme de pse tsc msr pae mce cx8 sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss".Split(' '),
        .. "pni pclmulqdq ssse3 fma sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand".Split(' '),
        .. "fsgsbase tsc_adjust bmi1 avx2 fdp_excptn_only smep bmi2 erms zero_fcs_fds mpx avx512f avx512dq rdseed adx smap".Split(' '),
        .. "avx512ifma clflushopt clwb avx512cd sha_ni avx512bw avx512vl umip avx512_vnni".Split(' '),
        .. "md_clear spec_ctrl intel_stibp flush_l1d arch_capabilities spec_ctrl_ssbd".Split(' '),
    ];

    public static IEnumerable<string> Models() =>
        ["host", "max", "pvm-friendly", "x86-64-v1", "host,-cx16", "host,hypervisor=vmm", "host,hypervisor=none", "host,-clflushopt,-umip"];

    [TestCaseSource(nameof(Models))]
    public void Model_reads_back_from_kvm(string text)
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        CpuidEntry[] wanted = Entries(text, [.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)]);

        vcpu.SetCpuid2([.. wanted.Select(entry => KvmConvert.FromEntry(entry))]);

        Differences(wanted, vcpu.GetCpuid2().Select(KvmConvert.ToEntry)).Should().BeEmpty();
    }

    [TestCaseSource(nameof(Models))]
    public void Guest_sees_the_model(string text)
    {
        using KvmGuest guest = KvmGuest.LongMode(s_enumerate);
        CpuidEntry[] wanted = Entries(text, guest.Backend.GetSupportedCpuid().AsSpan());
        wanted.Length.Should().BeLessThan(MaximumQueries);
        guest.Cpu.SetCpuid(wanted);
        for (int number = 0; number < wanted.Length; number++)
        {
            Span<byte> query = guest.MemoryAt(KvmGuest.DataAddress + (ulong)number * 8, 8);
            BinaryPrimitives.WriteUInt32LittleEndian(query, wanted[number].Function);
            BinaryPrimitives.WriteUInt32LittleEndian(query[4..], wanted[number].Index);
        }

        guest.Cpu.SetRegister(Vmm.Abstractions.Registers.RegisterName.Rbp, (ulong)wanted.Length);
        guest.Run().Code.Should().Be(ExitCode.Hlt);

        Differences(wanted, wanted.Select((entry, number) => AnswerTo(guest, entry, number))).Should().BeEmpty();
    }

    [Test]
    public void Random_models_of_the_host_read_back_and_fit([Range(1, 12)] int seed)
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        Random random = new(seed);
        CpuidEntry[] supported = [.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)];
        CpuDefinition host = new(supported);
        IEnumerable<string> removed = host.Features.Where(name => random.Next(8) == 0 && !name.StartsWith("kvm_", StringComparison.Ordinal));
        CpuModel.TryParse(string.Join(',', ["host", .. removed.Select(name => $"-{name}")]), out CpuModel? model, out string? problem).Should().BeTrue(problem);

        CpuResolution resolution = model!.Resolve(supported);
        CpuidEntry[] wanted = VcpuLeaves.Adapt(resolution.Definition.Entries.AsSpan(), 0, new CpuTopology(1, 2, 1));
        vcpu.SetCpuid2([.. wanted.Select(entry => KvmConvert.FromEntry(entry))]);

        resolution.Problems.Should().BeEmpty();
        Differences(wanted, vcpu.GetCpuid2().Select(KvmConvert.ToEntry)).Should().BeEmpty();
    }

    [Test]
    public void Host_fits_itself()
    {
        using KvmSystemFd system = KvmRequirement.Open();

        CpuModel.Host.Resolve([.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)]).Problems.Should().BeEmpty();
    }

    private static CpuidEntry[] Entries(string text, ReadOnlySpan<CpuidEntry> supported)
    {
        CpuModel.TryParse(text, out CpuModel? model, out string? problem).Should().BeTrue(problem);
        CpuResolution resolution = model!.Resolve(supported);
        return VcpuLeaves.Adapt(resolution.Definition.Entries.AsSpan(), 0, new CpuTopology(1, 4, 1));
    }

    private static CpuidEntry AnswerTo(KvmGuest guest, CpuidEntry entry, int number)
    {
        ReadOnlySpan<byte> bytes = guest.MemoryAt(Answers + (ulong)number * 16, 16);
        return entry with
        {
            Eax = BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            Ebx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            Ecx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
            Edx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        };
    }

    private static IEnumerable<string> Differences(IEnumerable<CpuidEntry> wanted, IEnumerable<CpuidEntry> found)
    {
        bool isPvm = KvmHost.Detect() == HostVirtualization.Pvm;
        List<string> left = [.. (isPvm ? AsOnPvm(wanted) : wanted).Select(Text)];
        List<string> right = [.. found.Where(entry => !isPvm || entry.Function != 0xd).Select(Text)];
        return [.. left.Except(right).Select(line => $"wanted {line}"), .. right.Except(left).Select(line => $"found {line}")];
    }

    private static ImmutableArray<CpuidEntry> AsOnPvm(IEnumerable<CpuidEntry> wanted)
    {
        CpuDefinition definition = new([.. wanted.Where(entry => entry.Function != 0xd)]);
        CpuDefinition processor = Machines.Native();
        foreach (CpuFeature feature in CpuFeatures.All.Where(feature => s_shownByPvm.Contains(feature.Name) && processor.Has(feature)))
        {
            definition.SetBit(feature, enabled: true);
        }

        return definition.Entries;
    }

    private static string Text(CpuidEntry entry)
    {
        CpuidEntry known = WithoutState(entry);
        return $"{known.Function:x}.{known.Index:x}: {known.Eax:x8} {known.Ebx:x8} {known.Ecx:x8} {known.Edx:x8}";
    }

    /// <summary>Without what KVM keeps current: OSXSAVE, APIC and MWAIT, OSPKE, the sizes of the XSAVE area, its own clock's ratio.</summary>
    private static CpuidEntry WithoutState(CpuidEntry entry) => (entry.Function, entry.Index) switch
    {
        (1, _) => entry with { Ecx = entry.Ecx & ~(1u << 27 | 1u << 3), Edx = entry.Edx & ~(1u << 9) },
        (7, 0) => entry with { Ecx = entry.Ecx & ~(1u << 4) },
        (0xd, 0 or 1) => entry with { Ebx = 0 },
        _ => entry,
    };
}
