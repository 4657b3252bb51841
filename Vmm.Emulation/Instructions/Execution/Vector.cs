// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Exception vectors (volume 3, exceptions and interrupts).</summary>
internal static class Vector
{
    internal const byte DivideError = 0;
    internal const byte Debug = 1;
    internal const byte Breakpoint = 3;
    internal const byte OverflowTrap = 4;
    internal const byte BoundRange = 5;
    internal const byte InvalidOpcode = 6;
    internal const byte DeviceNotAvailable = 7;
    internal const byte DoubleFault = 8;
    internal const byte InvalidTss = 10;
    internal const byte SegmentNotPresent = 11;
    internal const byte StackFault = 12;
    internal const byte GeneralProtection = 13;
    internal const byte PageFault = 14;
    internal const byte MathFault = 16;
    internal const byte AlignmentCheck = 17;
    internal const byte SimdException = 19;
}
