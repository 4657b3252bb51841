// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Support;

/// <summary>Guest code of processors that change the same memory under LOCK.</summary>
internal static class LockedLoops
{
    /// <summary>Adds 1 to the first and 3 to the second half of 16 bytes, a number of times, by CMPXCHG16B.</summary>
    public static void CountIn16Bytes(Assembler a, ulong address, int rounds)
    {
        Label again = a.CreateLabel();
        Label retry = a.CreateLabel();
        a.mov(r8d, rounds);
        a.mov(rsi, address);
        a.Label(ref again);
        a.mov(rax, __qword_ptr[rsi]);
        a.mov(rdx, __qword_ptr[rsi + 8]);
        a.Label(ref retry);
        a.mov(rbx, rax);
        a.add(rbx, 1);
        a.mov(rcx, rdx);
        a.add(rcx, 3);
        a.@lock.cmpxchg16b(__xmmword_ptr[rsi]);
        a.jne(retry);
        a.dec(r8d);
        a.jne(again);
    }
}
