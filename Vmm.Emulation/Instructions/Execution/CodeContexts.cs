// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The layout of <see cref="CpuState.CodeContext"/>: user mode in bit 0, the code size in bits 1 and 2, the version above.</summary>
internal static class CodeContexts
{
    private const ulong Version = 8;

    internal static ulong Make(ulong version, CodeSize codeSize, bool user) => version * Version | (ulong)codeSize << 1 | (user ? 1UL : 0);

    internal static CodeSize CodeSizeOf(ulong context) => (CodeSize)(context >> 1 & 3);

    internal static bool IsUser(ulong context) => (context & 1) != 0;

    internal static ulong WithVersion(ulong context, ulong version) => version * Version | context & (Version - 1);
}
