// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>DR0 to DR3.</summary>
[InlineArray(4)]
public struct DebugAddresses
{
    private ulong _element;
}
