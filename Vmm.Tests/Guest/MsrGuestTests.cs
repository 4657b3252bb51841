// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Collections.Immutable;
using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Kvm;
using Vmm.Tests.Emulation.Cpuid;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>
/// A 64-bit guest that asks for every leaf and every register and sees the model; with an instruction before each question that
/// some hosts leave to the engine, it sees the same.
/// </summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
public sealed class MsrGuestTests(string kind)
{
    private const ulong Queries = LongModeMachine.Data;
    private const ulong Answers = LongModeMachine.Data + 0x10000;
    private const int AnswerLength = 16;
    private const ulong GeneralProtectionHandler = LongModeMachine.Handlers + (13 * 16);

    /// <summary>What KVM answers for whether the guest's processor has it or not.</summary>
    private const string TimerOfEveryGuest = "IA32_TSC_DEADLINE";

    /// <summary>Registers that KVM answers with zero for every guest, whatever its processor is.</summary>
    private static readonly string[] s_zeroOnKvm = ["MSR_KVM_ASYNC_PF_ACK", "VM_HSAVE_PA"];

    /// <summary>Further ones on PVM hosts.</summary>
    private static readonly string[] s_zeroOnPvm = ["VIRT_SPEC_CTRL"];

    /// <summary>
    /// Those that a PVM host answers on AMD's processors, which show neither the speculation controls nor the architectural
    /// capabilities that bring these along.
    /// </summary>
    private static readonly string[] s_zeroOnPvmOnAmd = ["IA32_SPEC_CTRL", "IA32_TSX_CTRL"];

    /// <summary>What a PVM host refuses although the feature that brings it along is shown.</summary>
    private static readonly string[] s_refusedOnPvm = ["IA32_BNDCFGS"];

    public static IEnumerable<string> Models() => ["host", "x86-64-v1", "host,-cx16", "host,hypervisor=none"];

    [Test]
    public void Guest_sees_every_leaf_of_its_model(
        [ValueSource(nameof(Models))] string text, [Values(false, true)] bool throughSecondChance)
    {
        RequirePopcnt(throughSecondChance);
        using LongModeMachine machine = Create(text, "all", out ImmutableArray<CpuidEntry> wanted);
        for (int number = 0; number < wanted.Length; number++)
        {
            machine.Write64(Queries + ((ulong)number * 8), wanted[number].Function | ((ulong)wanted[number].Index << 32));
        }

        machine.Assemble(code => Enumerate(code, wanted.Length, throughSecondChance, AskCpuid));
        machine.RunToEnd();

        CpuidEntry[] found = [.. wanted.Select((entry, number) => AnswerTo(machine, entry, number))];
        string.Join(Environment.NewLine, CpuidDifferences.Between(wanted, found, IsPvm, throughSecondChance)).Should().BeEmpty();
        wanted.Where(entry => machine.Cpu.EmulateCpuid(entry.Function, entry.Index) is var own
                && (own.Eax, own.Ebx, own.Ecx, own.Edx) != (entry.Eax, entry.Ebx, entry.Ecx, entry.Edx))
            .Should().BeEmpty("the vCPU answers in software what it is configured with");
        RequireSecondChances(machine, throughSecondChance);
    }

    [Test]
    public void Guest_sees_every_register_of_its_model(
        [Values("host", "x86-64-v1")] string text,
        [Values("all", "but:IA32_PAT,IA32_MTRR_PHYSBASE0-IA32_MTRR_DEF_TYPE,IA32_MC0_CTL-IA32_MC3_MISC")] string exposure,
        [Values(false, true)] bool throughSecondChance)
    {
        RequirePopcnt(throughSecondChance);
        using LongModeMachine machine = Create(text, exposure, out _);
        ImmutableArray<MsrDescription> all = MsrRegistry.All;
        for (int number = 0; number < all.Length; number++)
        {
            machine.Write64(Queries + ((ulong)number * 8), all[number].Number);
        }

        // add qword [rsp+8],2; mov r8b,1; add rsp,8; iretq
        machine.Write(
            GeneralProtectionHandler, 0x48, 0x83, 0x44, 0x24, 0x08, 0x02, 0x41, 0xb0, 0x01, 0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf);
        machine.Assemble(code => Enumerate(code, all.Length, throughSecondChance, AskMsr));
        string?[] expected = [.. all.Select(description => Expected(machine, description))];
        machine.RunToEnd();

        string[] found = [.. all.Select((description, number) => Found(machine, description, number))];
        IEnumerable<string> different = all.Select((description, number) => (description.Name, Wanted: expected[number], Found: found[number]))
            .Where(line => line.Wanted != line.Found)
            .Select(line => $"{line.Name}: wanted {line.Wanted}, found {line.Found}");
        string.Join(Environment.NewLine, different).Should().BeEmpty();
        RequireSecondChances(machine, throughSecondChance);
    }

    private bool IsPvm => kind == Backends.Kvm && KvmHost.Detect() == HostVirtualization.Pvm;

    private bool IsZero(string name) => (kind == Backends.Kvm && s_zeroOnKvm.Contains(name))
        || (IsPvm
            && (s_zeroOnPvm.Contains(name) || (Machines.Native().Vendor == CpuVendor.Amd && s_zeroOnPvmOnAmd.Contains(name))));

    private LongModeMachine Create(string text, string exposure, out ImmutableArray<CpuidEntry> entries)
    {
        IHypervisorBackend backend = Backends.Open(kind);
        MsrExposurePolicy.TryParse(exposure, out MsrExposurePolicy? policy, out string? problem).Should().BeTrue(problem);
        LongModeMachine machine = new(backend, configure: options => options with
        {
            EngineMsrs = true,
            MsrFilter = policy!.Compile(),
            UnclaimedMsr = UnclaimedMsr.GeneralProtection,
        });
        CpuModel.TryParse(text, out CpuModel? model, out problem).Should().BeTrue(problem);
        CpuDefinition definition = model!.Resolve(backend.GetSupportedCpuid().AsSpan()).Definition;
        entries = [.. VcpuLeaves.Adapt(definition.Entries.AsSpan(), 0, new CpuTopology(1, 1, 1))];
        machine.Cpu.Cpuid = CpuidConfiguration.Create(CpuidFlags.None, entries.AsSpan());
        return machine;
    }

    /// <summary>Each query is a function and an index; each answer four words.</summary>
    private static void Enumerate(Assembler code, int count, bool throughSecondChance, Action<Assembler> ask)
    {
        Label next = code.CreateLabel();
        code.mov(rsi, Queries);
        code.mov(rdi, Answers);
        code.mov(ebp, count);
        code.Label(ref next);
        if (throughSecondChance)
        {
            code.popcnt(r9, rsi);
        }

        ask(code);
        code.add(rsi, 8);
        code.add(rdi, AnswerLength);
        code.dec(ebp);
        code.jne(next);
    }

    private static void AskCpuid(Assembler code)
    {
        code.mov(eax, __dword_ptr[rsi]);
        code.mov(ecx, __dword_ptr[rsi + 4]);
        code.cpuid();
        code.mov(__dword_ptr[rdi], eax);
        code.mov(__dword_ptr[rdi + 4], ebx);
        code.mov(__dword_ptr[rdi + 8], ecx);
        code.mov(__dword_ptr[rdi + 12], edx);
    }

    private static void AskMsr(Assembler code)
    {
        code.mov(ecx, __dword_ptr[rsi]);
        code.xor(r8d, r8d);
        code.rdmsr();
        code.mov(__dword_ptr[rdi], eax);
        code.mov(__dword_ptr[rdi + 4], edx);
        code.mov(__dword_ptr[rdi + 8], r8d);
    }

    private static CpuidEntry AnswerTo(LongModeMachine machine, CpuidEntry entry, int number)
    {
        ReadOnlySpan<byte> bytes = machine.Read(Answers + ((ulong)number * AnswerLength), AnswerLength);
        return entry with
        {
            Eax = BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            Ebx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            Ecx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
            Edx = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        };
    }

    private static string Found(LongModeMachine machine, in MsrDescription description, int number)
    {
        byte[] bytes = machine.Read(Answers + ((ulong)number * AnswerLength), AnswerLength);
        return bytes[8] != 0 ? "#GP" : Text(description, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
    }

    /// <summary>
    /// What the vCPU's owner reads is what the guest reads, where its processor has the register; for what nobody keeps, what is known
    /// about it.
    /// </summary>
    private string Expected(LongModeMachine machine, in MsrDescription description)
    {
        CpuDefinition processor = Processor(machine);
        if (IsZero(description.Name))
        {
            return "0x0";
        }

        if (description.Rule == MsrRule.Command
            || (description.Name != TimerOfEveryGuest && description.Features.Length > 0 && !description.Features.Split(' ').Any(processor.Has))
            || !HasMachineCheck(machine, description.Number)
            || (IsPvm && s_refusedOnPvm.Contains(description.Name)))
        {
            return "#GP";
        }

        if (machine.Cpu.TryGetMsr(description.Index, out ulong value))
        {
            return Text(description, value);
        }

        return description.Layer == MsrLayer.Policy
            && new UnknownMsrs(UnknownMsrPolicy.GeneralProtection, processor.Vendor).Read(description.Index, out ulong known) == MsrOutcome.Handled
            ? Text(description, known)
            : "#GP";
    }

    /// <summary>The processor that the guest has, which on a PVM host has more than its model.</summary>
    private CpuDefinition Processor(LongModeMachine machine)
    {
        ImmutableArray<CpuidEntry> entries = machine.Cpu.Cpuid.Entries;
        return IsPvm
            ? new CpuDefinition([.. CpuidDifferences.AsOnPvm(entries), .. entries.Where(entry => entry.Function == 0xd)])
            : new CpuDefinition(entries.AsSpan());
    }

    /// <summary>IA32_MCG_CAP says which of its registers exist: bit 8 the global control, bit 10 the banks' second controls.</summary>
    private static bool HasMachineCheck(LongModeMachine machine, uint number)
    {
        machine.Cpu.TryGetMsr(new MsrIndex(0x179), out ulong capabilities);
        return number switch
        {
            0x17b => (capabilities & 1 << 8) != 0,
            >= 0x280 and <= 0x29f => (capabilities & 1 << 10) != 0,
            _ => true,
        };
    }

    private static string Text(in MsrDescription description, ulong value) =>
        description.Sensitivity == MsrSensitivity.Time ? "a time" : $"0x{value:x}";

    private void RequirePopcnt(bool throughSecondChance)
    {
        if (kind == Backends.Software && throughSecondChance)
        {
            Assert.Ignore("in software an instruction of a feature that the model lacks does not exist, and there is no second chance");
        }
    }

    private void RequireSecondChances(LongModeMachine machine, bool throughSecondChance)
    {
        bool expected = throughSecondChance && IsPvm;
        (machine.Cpu.Counters.SecondChances > 0).Should().Be(expected);
    }
}
