// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Whether and where code that is executed often becomes code of the host, which changes nothing but speed; and where time goes.</summary>
public sealed partial class CpuState
{
    /// <summary>
    /// How often a block of 64-bit code is executed before it becomes a method that the host's runtime compiles, which takes it about a
    /// millisecond; 0, the default, for never. Without effect on code that was decoded before, on bindings that look at each instruction,
    /// and where the runtime cannot compile.
    /// </summary>
    public int TranslatesAfter { get; set; }

    private int _phase;

    /// <summary>What the executor is doing now, for whoever samples where its time goes. Any thread.</summary>
    public ExecutionPhase Phase => (ExecutionPhase)Volatile.Read(ref _phase);

    /// <summary>
    /// Takes a translation to carry it out on any thread and at any time, or returns false: the block then asks again when it was executed
    /// as often once more. Null, the default, has the executing thread do it at once. Called from the thread that executes; it must not
    /// throw. What it is given may throw what the host's runtime does when it cannot compile the block, which the interpreter keeps then.
    /// </summary>
    public Func<Action, bool>? TranslationWorker { get; set; }

    /// <summary>Something else is done from now on.</summary>
    /// <returns>What was done before, which is to be set again afterwards.</returns>
    internal ExecutionPhase Begin(ExecutionPhase phase)
    {
        ExecutionPhase before = (ExecutionPhase)_phase;
        _phase = (int)phase;
        return before;
    }
}
