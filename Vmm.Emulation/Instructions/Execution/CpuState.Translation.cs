// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Whether and where code that is executed often becomes code of the host. It changes nothing but speed.</summary>
public sealed partial class CpuState
{
    /// <summary>
    /// How often a block of 64-bit code is executed before it becomes a method that the host's runtime compiles, which takes it about a
    /// millisecond; 0, the default, for never. Without effect on code that was decoded before, on bindings that look at each instruction,
    /// and where the runtime cannot compile.
    /// </summary>
    public int TranslatesAfter { get; set; }

    /// <summary>
    /// Carries out a translation, on any thread and at any time; null, the default, has the executing thread do it at once. Called from
    /// the thread that executes; it must not throw.
    /// </summary>
    public Action<Action>? TranslationWorker { get; set; }
}
