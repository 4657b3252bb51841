// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>Why the vCPU itself stopped in front of an instruction.</summary>
internal enum Refusal : byte
{
    /// <summary>It did not.</summary>
    None = 0,

    /// <summary>An event is to be delivered, or the guest can take an interrupt and somebody waits for that.</summary>
    EventIsDue,

    /// <summary>One of the debugger's watchpoints was met by the instruction before.</summary>
    Watchpoint,

    /// <summary>One of the debugger's breakpoints on execution is here.</summary>
    DebuggersBreakpoint,

    /// <summary>PAUSE, which exits.</summary>
    Pause,

    /// <summary>INT3, which exits.</summary>
    Breakpoint,

    /// <summary>The instruction asks for the time that instructions make, which is exact for one that executes alone.</summary>
    TimeIsAsked,
}
