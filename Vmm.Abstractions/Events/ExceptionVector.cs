// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>The architectural exceptions (Intel SDM volume 3, exceptions and interrupts).</summary>
public enum ExceptionVector : byte
{
    /// <summary><c>#DE</c>, divide error.</summary>
    DivideError = 0,

    /// <summary><c>#DB</c>, debug.</summary>
    Debug = 1,

    /// <summary>The NMI: not an exception, and never injected as one.</summary>
    Nmi = 2,

    /// <summary><c>#BP</c>, breakpoint.</summary>
    Breakpoint = 3,

    /// <summary><c>#OF</c>, overflow.</summary>
    Overflow = 4,

    /// <summary><c>#BR</c>, bound range exceeded.</summary>
    BoundRange = 5,

    /// <summary><c>#UD</c>, invalid opcode.</summary>
    InvalidOpcode = 6,

    /// <summary><c>#NM</c>, device not available.</summary>
    DeviceNotAvailable = 7,

    /// <summary><c>#DF</c>, double fault.</summary>
    DoubleFault = 8,

    /// <summary><c>#TS</c>, invalid TSS.</summary>
    InvalidTss = 10,

    /// <summary><c>#NP</c>, segment not present.</summary>
    SegmentNotPresent = 11,

    /// <summary><c>#SS</c>, stack-segment fault.</summary>
    StackFault = 12,

    /// <summary><c>#GP</c>, general protection.</summary>
    GeneralProtection = 13,

    /// <summary><c>#PF</c>, page fault.</summary>
    PageFault = 14,

    /// <summary><c>#MF</c>, x87 floating-point error.</summary>
    X87 = 16,

    /// <summary><c>#AC</c>, alignment check.</summary>
    AlignmentCheck = 17,

    /// <summary><c>#MC</c>, machine check.</summary>
    MachineCheck = 18,

    /// <summary><c>#XM</c>, SIMD floating-point error.</summary>
    Simd = 19,

    /// <summary><c>#VE</c>, virtualization exception.</summary>
    Virtualization = 20,

    /// <summary><c>#CP</c>, control protection.</summary>
    ControlProtection = 21,
}
