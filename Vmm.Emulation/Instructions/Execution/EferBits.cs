// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>IA32_EFER (volume 4, architectural MSRs).</summary>
internal static class EferBits
{
    internal const ulong SyscallEnable = 1 << 0;
    internal const ulong LongModeEnable = 1 << 8;
    internal const ulong LongModeActive = 1 << 10;
    internal const ulong NoExecuteEnable = 1 << 11;
}
