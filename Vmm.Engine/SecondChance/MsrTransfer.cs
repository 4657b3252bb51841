// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// Carries model-specific registers that are plain state between the hypervisor and the executor: those of system calls, the bases that
/// SWAPGS exchanges; and IA32_TSC_AUX to the executor, which only reads it. The owner's thread only.
/// </summary>
internal sealed class MsrTransfer(CpuState state)
{
    private const uint Xss = 0xda0;
    private const uint Star = 0xc0000081;
    private const uint LStar = 0xc0000082;
    private const uint CStar = 0xc0000083;
    private const uint SyscallMask = 0xc0000084;
    private const uint FsBase = 0xc0000100;
    private const uint GsBase = 0xc0000101;
    private const uint KernelGsBase = 0xc0000102;
    private const uint TscAux = 0xc0000103;
    private const uint SysenterCs = 0x174;
    private const uint SysenterEsp = 0x175;
    private const uint SysenterEip = 0x176;

    private Values _taken;

    /// <summary>
    /// What has to be taken before a register is accessed; none for a register that is not plain state. IA32_TSC_AUX is not: whether
    /// the guest has it, its CPUID says, and the hypervisor looks there.
    /// </summary>
    public static StateNeeds NeedsOf(uint index) => index switch
    {
        Star or LStar or CStar or SyscallMask => StateNeeds.Syscall,
        SysenterCs or SysenterEsp or SysenterEip => StateNeeds.Sysenter,
        FsBase or GsBase or KernelGsBase => StateNeeds.KernelGsBase,
        _ => StateNeeds.None,
    };

    /// <summary>Takes the registers of what is needed.</summary>
    public void Load(IBackendVcpu backend, StateNeeds missing)
    {
        if ((missing & StateNeeds.Xss) != 0)
        {
            state.Xss = Get(Xss);
        }

        if ((missing & StateNeeds.KernelGsBase) != 0)
        {
            state.KernelGsBase = Get(KernelGsBase);
            _taken = _taken with { KernelGsBase = state.KernelGsBase };
        }

        if ((missing & StateNeeds.Syscall) != 0)
        {
            state.Star = Get(Star);
            state.LStar = Get(LStar);
            state.CStar = Get(CStar);
            state.SyscallMask = Get(SyscallMask);
            _taken = _taken with { Star = state.Star, LStar = state.LStar, CStar = state.CStar, SyscallMask = state.SyscallMask };
        }

        if ((missing & StateNeeds.Sysenter) != 0)
        {
            state.SysenterCs = Get(SysenterCs);
            state.SysenterEsp = Get(SysenterEsp);
            state.SysenterEip = Get(SysenterEip);
            _taken = _taken with { SysenterCs = state.SysenterCs, SysenterEsp = state.SysenterEsp, SysenterEip = state.SysenterEip };
        }

        if ((missing & StateNeeds.TscAux) != 0)
        {
            state.TscAux = (uint)Get(TscAux);
        }

        ulong Get(uint index) => backend.TryGetMsr(new MsrIndex(index), out ulong value) ? value : 0;
    }

    /// <summary>Gives back those that differ from what was taken; the others are as they were.</summary>
    public void Store(IBackendVcpu backend)
    {
        Values now = Values.Of(state);
        if (now == _taken)
        {
            return;
        }

        Put(KernelGsBase, now.KernelGsBase, _taken.KernelGsBase);
        Put(Star, now.Star, _taken.Star);
        Put(LStar, now.LStar, _taken.LStar);
        Put(CStar, now.CStar, _taken.CStar);
        Put(SyscallMask, now.SyscallMask, _taken.SyscallMask);
        Put(SysenterCs, now.SysenterCs, _taken.SysenterCs);
        Put(SysenterEsp, now.SysenterEsp, _taken.SysenterEsp);
        Put(SysenterEip, now.SysenterEip, _taken.SysenterEip);
        _taken = now;

        void Put(uint index, ulong value, ulong before)
        {
            if (value != before)
            {
                backend.TrySetMsr(new MsrIndex(index), value);
            }
        }
    }

    private readonly record struct Values(
        ulong KernelGsBase,
        ulong Star,
        ulong LStar,
        ulong CStar,
        ulong SyscallMask,
        ulong SysenterCs,
        ulong SysenterEsp,
        ulong SysenterEip)
    {
        public static Values Of(CpuState state) => new(
            state.KernelGsBase,
            state.Star,
            state.LStar,
            state.CStar,
            state.SyscallMask,
            state.SysenterCs,
            state.SysenterEsp,
            state.SysenterEip);
    }
}
