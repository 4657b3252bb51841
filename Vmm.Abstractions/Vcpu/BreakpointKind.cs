// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>What a hardware breakpoint waits for, with the numbers of DR7 (Intel SDM volume 3, debug control register).</summary>
public enum BreakpointKind
{
    /// <summary>The instruction at the address is about to execute.</summary>
    Execution = 0,

    /// <summary>Data at the address were written.</summary>
    Write = 1,

    /// <summary>Data at the address were read or written.</summary>
    Access = 3,
}
