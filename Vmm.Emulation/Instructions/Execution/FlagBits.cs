// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>RFLAGS (volume 1, section 3.4.3).</summary>
internal static class FlagBits
{
    internal const ulong Carry = 1 << 0;
    internal const ulong Fixed = 1 << 1;
    internal const ulong Parity = 1 << 2;
    internal const ulong Adjust = 1 << 4;
    internal const ulong Zero = 1 << 6;
    internal const ulong Sign = 1 << 7;
    internal const ulong Trap = 1 << 8;
    internal const ulong Interrupt = 1 << 9;
    internal const ulong Direction = 1 << 10;
    internal const ulong Overflow = 1 << 11;
    internal const ulong IoPrivilege = 3 << 12;
    internal const ulong NestedTask = 1 << 14;
    internal const ulong Resume = 1 << 16;
    internal const ulong VirtualMode = 1 << 17;
    internal const ulong AlignmentCheck = 1 << 18;
    internal const ulong VirtualInterrupt = 1 << 19;
    internal const ulong VirtualInterruptPending = 1 << 20;
    internal const ulong Identification = 1 << 21;
    internal const ulong Status = Carry | Parity | Adjust | Zero | Sign | Overflow;
}
