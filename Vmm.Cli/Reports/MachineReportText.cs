// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Board;
using Vmm.Machine.Diagnostics;

namespace Vmm.Cli.Reports;

/// <summary>A machine's end for a person.</summary>
internal static class MachineReportText
{
    /// <summary>Writes one line for an end that is in order, and everything that is known about one that is not.</summary>
    public static void Write(TextWriter writer, MachineResult result, MachineAdvice advice)
    {
        writer.WriteLine(Invariant($"vmm: {Title(result.End)} after {result.Elapsed.TotalSeconds:0.###} s: {result.Detail}."));
        WriteSecondChances(writer, result);
        MsrReportWriter.WriteText(writer, result.Msrs);
        if (result.End is MachineEnd.PowerOff or MachineEnd.Reset or MachineEnd.DebugExit or MachineEnd.Stopped)
        {
            return;
        }

        foreach (VcpuReport vcpu in result.Vcpus)
        {
            if (result.Vcpu is null || result.Vcpu == vcpu.Id)
            {
                WriteVcpu(writer, vcpu);
            }
        }

        if (result.Instruction is { } instruction)
        {
            WriteInstruction(writer, instruction);
        }

        if (result.TripleFault is { } fault)
        {
            TripleFaultWriter.WriteText(writer, fault);
        }

        if (result.PageWalk is { } walk)
        {
            writer.WriteLine($"  page walk: {walk}");
        }

        if (result.Exit is { } exit)
        {
            writer.WriteLine($"  exit: {exit}");
        }

        if (result.Error is { } error)
        {
            writer.WriteLine($"  {error}");
        }

        if (advice.Cause is { } cause)
        {
            writer.WriteLine($"  why: {cause}.");
        }

        foreach (string attempt in advice.Try)
        {
            writer.WriteLine($"  try: {attempt}.");
        }
    }

    private static string Title(MachineEnd end) => end switch
    {
        MachineEnd.PowerOff => "power off",
        MachineEnd.Reset => "reset",
        MachineEnd.Halt => "halt",
        MachineEnd.TripleFault => "triple fault",
        MachineEnd.DebugExit => "debug exit",
        MachineEnd.EmulationFailure => "emulation failure",
        MachineEnd.HypervisorFailure => "hypervisor failure",
        MachineEnd.UnansweredMsr => "unanswered MSR",
        MachineEnd.Timeout => "timeout",
        MachineEnd.Stopped => "stopped",
        _ => "host error",
    };

    private static void WriteVcpu(TextWriter writer, VcpuReport vcpu)
    {
        if (vcpu.Problem is { } problem)
        {
            writer.WriteLine($"  vCPU {vcpu.Id}: the registers cannot be read: {problem}");
            return;
        }

        GeneralRegisters r = vcpu.Registers;
        VcpuCounters c = vcpu.Counters;
        writer.WriteLine($"  vCPU {vcpu.Id} at 0x{r.Rip:x}, {vcpu.Bitness}-bit code, CPL {vcpu.Cpl}:");
        writer.WriteLine($"    RAX {r.Rax:x16}  RBX {r.Rbx:x16}  RCX {r.Rcx:x16}  RDX {r.Rdx:x16}");
        writer.WriteLine($"    RSI {r.Rsi:x16}  RDI {r.Rdi:x16}  RBP {r.Rbp:x16}  RSP {r.Rsp:x16}");
        writer.WriteLine($"    R8  {r.R8:x16}  R9  {r.R9:x16}  R10 {r.R10:x16}  R11 {r.R11:x16}");
        writer.WriteLine($"    R12 {r.R12:x16}  R13 {r.R13:x16}  R14 {r.R14:x16}  R15 {r.R15:x16}");
        writer.WriteLine($"    RIP {r.Rip:x16}  RFLAGS {r.Rflags:x8}  CS base {vcpu.Cs.Base:x}");
        writer.WriteLine($"    CR0 {vcpu.Cr0:x8}  CR2 {vcpu.Cr2:x16}  CR3 {vcpu.Cr3:x16}  CR4 {vcpu.Cr4:x8}  EFER {vcpu.Efer:x}");
        writer.WriteLine(
            $"    exits {c.Exits}: port {c.PortExits}, MMIO {c.MmioExits}, MSR {c.MsrExits}, HLT {c.HaltExits}, kick {c.Kicks}, other {c.OtherExits}; "
            + $"unclaimed: port {c.UnclaimedPorts}, MMIO {c.UnclaimedMmio}, MSR {c.UnclaimedMsrs}");
    }

    private static void WriteSecondChances(TextWriter writer, MachineResult result)
    {
        const int MostNames = 12;
        if (result.SecondChances is not { } chances)
        {
            return;
        }

        IEnumerable<string> names = chances.ByInstruction.Take(MostNames).Select(pair => $"{pair.Key.ToLowerInvariant()} {pair.Value}");
        string more = chances.ByInstruction.Length > MostNames ? $" and {chances.ByInstruction.Length - MostNames} more" : "";
        string list = chances.ByInstruction.IsEmpty ? "" : $" ({string.Join(", ", names)}{more})";
        string steps = chances.HypervisorSteps == 0 ? "" : $", {chances.HypervisorSteps} by the hypervisor one at a time";
        writer.WriteLine(
            $"  second chance: {chances.Count} instructions that the hypervisor cannot emulate{list}; "
            + $"{chances.Executed} executed by the engine{steps}");
    }

    private static void WriteInstruction(TextWriter writer, InstructionReport instruction)
    {
        string bytes = string.Join(' ', instruction.Bytes.Select(static value => value.ToString("x2", CultureInfo.InvariantCulture)));
        writer.WriteLine($"  bytes: {bytes}");
        writer.WriteLine($"  instruction: {instruction.Text}");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
