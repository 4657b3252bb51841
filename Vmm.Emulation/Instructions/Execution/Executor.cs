// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Executes instructions on a bound CPU. The one entry to the executor: for a KVM vCPU's second chance, for tests, and for a
/// software CPU. Call from the thread that owns the CPU.
/// </summary>
public static class Executor
{
    /// <summary>
    /// Fetches, decodes and executes one instruction, or one batch of a repeated one. Nothing is delivered: an exception is
    /// the result.
    /// </summary>
    public static ExecutionResult Step<TCpu>(ref TCpu cpu)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.Step(ref cpu, out _);

    /// <summary>As <see cref="Step{TCpu}(ref TCpu)"/>, and says which instruction it was (the default value if the fetch failed).</summary>
    public static ExecutionResult Step<TCpu>(ref TCpu cpu, out Instruction instruction)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.Step(ref cpu, out instruction);

    /// <summary>
    /// Executes an instruction that was decoded already, as if it had been fetched at RIP. Nothing is delivered.
    /// </summary>
    public static ExecutionResult Execute<TCpu>(ref TCpu cpu, in Instruction instruction)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.ExecuteDecoded(ref cpu, in instruction);

    /// <summary>
    /// Executes up to a number of instructions and stops before or at the first that does not just complete. With
    /// <paramref name="deliver"/>, exceptions are delivered to the guest and execution goes on.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="maximum">
    /// The most instructions to execute; a batch of a repeated one counts as one. There are fewer where repeated ones have done as much as
    /// thousands of others.
    /// </param>
    /// <param name="deliver">Whether exceptions go to the guest's handlers.</param>
    /// <param name="executed">How many completed.</param>
    public static ExecutionResult Run<TCpu>(ref TCpu cpu, long maximum, bool deliver, out long executed)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.Run(ref cpu, maximum, deliver, continues: false, out executed);

    /// <summary>
    /// Goes on where <see cref="Run{TCpu}"/> of the same CPU stopped, without comparing code with memory anew as each run does: what others
    /// wrote in between is seen where the guest serializes, and after as many instructions as within a run.
    /// </summary>
    /// <inheritdoc cref="Run{TCpu}"/>
    public static ExecutionResult Continue<TCpu>(ref TCpu cpu, long maximum, bool deliver, out long executed)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.Run(ref cpu, maximum, deliver, continues: true, out executed);

    /// <summary>
    /// The linear address of the operand that ModRM or a memory offset names, without any check: what a hypervisor that reports the
    /// address of an access must have reported.
    /// </summary>
    /// <param name="cpu">The CPU, in front of the instruction.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="linear">The address.</param>
    /// <returns><see langword="false"/> when no operand is in memory by that way (strings, the stack).</returns>
    public static bool TryGetOperandAddress<TCpu>(ref TCpu cpu, in Instruction instruction, out ulong linear)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.TryGetOperandAddress(cpu.State, in instruction, out linear);

    /// <summary>What an instruction that writes CR4 is going to write (<see cref="StateNeeds.ControlBits"/>).</summary>
    /// <param name="state">The registers, in front of the instruction.</param>
    /// <param name="instruction">The instruction.</param>
    /// <returns>The value; meaningless for another instruction.</returns>
    public static ulong ControlValue(CpuState state, in Instruction instruction) =>
        instruction.OperandSize == 8 ? state.General[instruction.Rm] : (uint)state.General[instruction.Rm];

    /// <summary>
    /// Delivers an interrupt or exception through the guest's IVT or IDT: pushes the frame and continues at the handler.
    /// On a fault in the delivery nothing changed and the result is that fault.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="vector">The vector.</param>
    /// <param name="kind">Where the event comes from.</param>
    /// <param name="errorCode">The error code to push in protected mode, or null.</param>
    public static ExecutionResult Deliver<TCpu>(ref TCpu cpu, byte vector, InterruptKind kind, uint? errorCode)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.DeliverEvent(ref cpu, vector, kind, errorCode);

    /// <summary>
    /// Delivers an exception as if an instruction had raised it: a fault in its delivery makes a double fault where the two do so
    /// (volume 3, double fault), and the CPU shuts down when that cannot be delivered either.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="fault">The exception, with <see cref="ExecutionStatus.Fault"/>.</param>
    public static ExecutionResult Raise<TCpu>(ref TCpu cpu, in ExecutionResult fault)
        where TCpu : struct, IEmulatedCpu
        => Interpreter<TCpu>.DeliverFault(ref cpu, in fault);
}
