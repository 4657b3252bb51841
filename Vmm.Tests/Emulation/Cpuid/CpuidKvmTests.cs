// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
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

        CpuidDifferences.Between(wanted, vcpu.GetCpuid2().Select(KvmConvert.ToEntry)).Should().BeEmpty();
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

        CpuidDifferences.Between(wanted, wanted.Select((entry, number) => AnswerTo(guest, entry, number))).Should().BeEmpty();
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
        CpuidDifferences.Between(wanted, vcpu.GetCpuid2().Select(KvmConvert.ToEntry)).Should().BeEmpty();
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
}
