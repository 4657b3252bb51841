// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;
using Vmm.Engine.SecondChance;
using Vmm.Machine.Board;
using Vmm.Machine.Diagnostics;

namespace Vmm.Cli.Reports;

/// <summary>Why a machine ended as it did, as far as the host is the reason, and what to try.</summary>
/// <param name="Cause">A sentence; null when there is nothing to add.</param>
/// <param name="Try">Sentences, best first.</param>
internal sealed record MachineAdvice(string? Cause, ImmutableArray<string> Try)
{
    private const string AnotherHost =
        "run it on a host whose KVM executes guests on the processor (VMX or SVM); 'vmm doctor' tells which kind a host is";

    private const string LookBefore = "look at what the guest did before: a jump into devices ends so, too";
    private const string InSoftware = "--backend software: a processor in software, which has no such gaps";

    private static readonly MachineAdvice s_none = new(null, []);

    /// <summary>Finds the advice for a result.</summary>
    /// <param name="result">The result.</param>
    /// <param name="model">The processor model that the machine had.</param>
    /// <param name="supported">What CPUID the hypervisor can give.</param>
    public static MachineAdvice For(MachineResult result, CpuModel model, ImmutableArray<CpuidEntry> supported) => result.End switch
    {
        MachineEnd.EmulationFailure when result.Hypervisor.Virtualization == HostVirtualization.Software => ForSoftware(result),
        MachineEnd.EmulationFailure => ForEmulation(result, model, supported),
        MachineEnd.TripleFault when result.Hypervisor.Virtualization == HostVirtualization.Pvm => new MachineAdvice(
            "if the guest is right, the host may be the reason: KVM here (PVM) gives guests an invalid-opcode or general-protection fault for some instructions of user and compatibility mode",
            [InSoftware, AnotherHost]),
        MachineEnd.TripleFault => new MachineAdvice(
            null, ["look at what the guest did last: it had no handler for a fault, or its descriptor tables are wrong"]),
        MachineEnd.Halt => new MachineAdvice(
            null, ["if the guest should have powered off: it halted with interrupts disabled, which is what a kernel does after a panic or without a way to power off"]),
        MachineEnd.Timeout => new MachineAdvice(
            result.Hypervisor.Virtualization == HostVirtualization.Pvm
                ? "KVM on this host (PVM) interprets kernel-mode code, at about a million instructions a second"
                : null,
            ["give it more time with --timeout"]),
        MachineEnd.UnansweredMsr => new MachineAdvice(
            "--msr-policy ask ends the guest at the first register that neither KVM nor the engine has",
            [
                "--msr-policy gp: the guest gets a general-protection fault, as on a processor without the register; kernels expect that",
                "--msr-policy ignore: reads give zero and writes have no effect",
            ]),
        MachineEnd.HypervisorFailure => new MachineAdvice(
            null, ["look into the host's kernel log: 'dmesg | grep -i kvm'"]),
        _ => s_none,
    };

    private static MachineAdvice ForSoftware(MachineResult result) => result.Refusal switch
    {
        EmulationRefusal.NotInMemory => new MachineAdvice("the guest's code, stack or page tables are not in memory", [LookBefore]),
        EmulationRefusal.TaskSwitch => new MachineAdvice(
            $"{Name(result.Instruction)} switches tasks, through a TSS or a task gate, which the software processor does not do",
            [
                "handle the vector by an interrupt or trap gate, and switch tasks in the guest's own code",
                "--backend kvm on a host with VT-x or SVM: its processor switches tasks",
            ]),
        EmulationRefusal.SupervisorState => new MachineAdvice(
            $"{Name(result.Instruction)} asks for components that IA32_XSS enables, for which the software processor has no state",
            ["--cpu MODEL,-xsaves: the guest saves its state by XSAVE or XSAVEC"]),
        _ => new MachineAdvice($"the software processor does not have {Name(result.Instruction)}", [LookBefore]),
    };

    private static string Name(InstructionReport? instruction) =>
        instruction is { Length: > 0 } ? $"`{instruction.Mnemonic}`" : "the instruction there";

    private static MachineAdvice ForEmulation(MachineResult result, CpuModel model, ImmutableArray<CpuidEntry> supported)
    {
        InstructionReport? instruction = result.Instruction;
        string name = Name(instruction);
        string cause = result.Hypervisor.Virtualization == HostVirtualization.Pvm
            ? $"KVM on this host (PVM) interprets kernel-mode code and does not know {name}"
            : $"KVM's instruction emulator does not know {name}, which the guest used where the processor could not execute it by itself (such as on memory-mapped devices or in a mode it lacks)";
        cause += result.Refusal switch
        {
            EmulationRefusal.SwitchedOff => "; --second-chance is off",
            EmulationRefusal.NotExecutable => "; this engine's executor does not have it either",
            EmulationRefusal.TaskSwitch => "; it switches tasks, through a TSS or a task gate, which this engine's executor does not do",
            EmulationRefusal.SupervisorState => "; it asks for components that IA32_XSS enables, for which this engine's executor has no state",
            EmulationRefusal.OwnedByHypervisor => "; it works on a chip or register that only the hypervisor has, so this engine cannot execute it",
            EmulationRefusal.NotInMemory => "; its code or page tables are not in memory, so this engine cannot execute it",
            EmulationRefusal.RefusedByDevice => "; the device that it accesses refused",
            _ => "",
        };
        ImmutableArray<string>.Builder attempts = ImmutableArray.CreateBuilder<string>();
        if (instruction?.Feature is { } feature
            && CpuFeatures.TryFind(feature, out CpuFeature known)
            && CpuFeatures.Has(supported.AsSpan(), known)
            && !model.Changes.Any(change => change.Feature == known && !change.Enabled))
        {
            attempts.Add($"--cpu {model},-{feature}: hides the feature from the guest, which then may do without the instruction");
        }

        if (result.Refusal == EmulationRefusal.SwitchedOff)
        {
            attempts.Add("--second-chance on: executes such instructions in this process");
        }

        if (result.Hypervisor.Virtualization == HostVirtualization.Pvm && result.Refusal is not (EmulationRefusal.TaskSwitch or EmulationRefusal.SupervisorState))
        {
            attempts.Add(InSoftware);
        }

        attempts.Add(AnotherHost);
        return new MachineAdvice(cause, attempts.ToImmutable());
    }
}
