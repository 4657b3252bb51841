// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <content>The same scenario by the method that the instruction's block becomes.</content>
internal sealed partial class OracleRun
{
    /// <summary>Whether the block of the last scenario that was compared became a method.</summary>
    internal bool IsTranslated { get; private set; }

    /// <summary>
    /// Executes as many instructions as before, by blocks that become methods before they are executed for the first time. The translations
    /// of addresses are known from before, so that the methods find memory by themselves.
    /// </summary>
    private OracleExit ExecuteTranslated(long count)
    {
        FlatCpu cpu = new(_state, _memory, _devices);
        _devices.IsDone = false;
        _state.Blocks = null;
        _state.OtherBlocks = null;
        _state.CodePages.Clear();
        _state.TranslatesAfter = 1;
        ExecutionResult result = default;
        while (count > 0 && result.Status == ExecutionStatus.Completed)
        {
            result = Executor.Run(ref cpu, count, deliver: true, out long executed);
            count -= executed;
        }

        _state.TranslatesAfter = 0;
        return result.Status switch
        {
            ExecutionStatus.Halted => OracleExit.Halted,
            ExecutionStatus.Shutdown => OracleExit.Shutdown,
            ExecutionStatus.Completed => _devices.IsDone ? OracleExit.Port : OracleExit.Other,
            _ => OracleExit.NotExecuted,
        };
    }

    /// <summary>Linear addresses are physical ones here.</summary>
    private bool HasTranslation(ulong rip) => _state.Blocks is Interpreter<FlatCpu>.BlockCache blocks
        && blocks.Find(rip, CodeSize.Bits64) is >= 0 and int index && blocks[index].Translation?.Code is not null;
}
