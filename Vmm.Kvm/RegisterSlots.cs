// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Abstractions.Registers;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>The place of each general register in <c>kvm_regs</c>.</summary>
internal static class RegisterSlots
{
    /// <summary>The number of registers in the structure.</summary>
    public const int Count = 18;

    /// <summary>A mask of all of them.</summary>
    public const uint All = (1u << Count) - 1;

    /// <summary>By register number; -1 where the structure does not have the register.</summary>
    private static ReadOnlySpan<sbyte> Slots =>
    [
        0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, // RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8 to R15
        -1, -1, -1, -1, // CR0, CR3, CR4, DR7
        6, 16, 17, // RSP, RIP, RFLAGS
    ];

    /// <summary>The place of a register, or -1.</summary>
    public static int Of(RegisterName register) => (uint)register < (uint)Slots.Length ? Slots[(int)register] : -1;

    /// <summary>The register at a place.</summary>
    public static ref ulong At(ref KvmRegs regs, int slot) =>
        ref Unsafe.Add(ref Unsafe.As<KvmRegs, ulong>(ref regs), slot);
}
