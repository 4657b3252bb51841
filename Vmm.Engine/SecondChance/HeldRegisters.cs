// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;

namespace Vmm.Engine.SecondChance;

/// <summary>Register writes made while an instruction waits for its answer: they take effect when it has retired.</summary>
internal static class HeldRegisters
{
    /// <summary>Puts what was written over what the instruction left.</summary>
    /// <param name="shown">The registers when the instruction began to wait.</param>
    /// <param name="wanted">The registers with the writes.</param>
    /// <param name="result">The registers behind the instruction.</param>
    /// <returns>The registers for the guest.</returns>
    public static GeneralRegisters Apply(in GeneralRegisters shown, in GeneralRegisters wanted, in GeneralRegisters result) => new()
    {
        Rax = wanted.Rax != shown.Rax ? wanted.Rax : result.Rax,
        Rbx = wanted.Rbx != shown.Rbx ? wanted.Rbx : result.Rbx,
        Rcx = wanted.Rcx != shown.Rcx ? wanted.Rcx : result.Rcx,
        Rdx = wanted.Rdx != shown.Rdx ? wanted.Rdx : result.Rdx,
        Rsi = wanted.Rsi != shown.Rsi ? wanted.Rsi : result.Rsi,
        Rdi = wanted.Rdi != shown.Rdi ? wanted.Rdi : result.Rdi,
        Rsp = wanted.Rsp != shown.Rsp ? wanted.Rsp : result.Rsp,
        Rbp = wanted.Rbp != shown.Rbp ? wanted.Rbp : result.Rbp,
        R8 = wanted.R8 != shown.R8 ? wanted.R8 : result.R8,
        R9 = wanted.R9 != shown.R9 ? wanted.R9 : result.R9,
        R10 = wanted.R10 != shown.R10 ? wanted.R10 : result.R10,
        R11 = wanted.R11 != shown.R11 ? wanted.R11 : result.R11,
        R12 = wanted.R12 != shown.R12 ? wanted.R12 : result.R12,
        R13 = wanted.R13 != shown.R13 ? wanted.R13 : result.R13,
        R14 = wanted.R14 != shown.R14 ? wanted.R14 : result.R14,
        R15 = wanted.R15 != shown.R15 ? wanted.R15 : result.R15,
        Rip = wanted.Rip != shown.Rip ? wanted.Rip : result.Rip,
        Rflags = wanted.Rflags != shown.Rflags ? wanted.Rflags : result.Rflags,
    };
}
