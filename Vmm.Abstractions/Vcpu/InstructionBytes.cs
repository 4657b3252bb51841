// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Abstractions.Vcpu;

/// <summary>Up to fifteen instruction bytes.</summary>
[InlineArray(Length)]
public struct InstructionBytes
{
    /// <summary>The longest an x86 instruction may be.</summary>
    public const int Length = 15;

    private byte _element0;
}
