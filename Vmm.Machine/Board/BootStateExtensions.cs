// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Boot;

namespace Vmm.Machine.Board;

/// <summary>Puts a loader's registers into a vCPU.</summary>
public static class BootStateExtensions
{
    /// <summary>Resets a vCPU and gives it the registers with which an image starts. Needs ownership of the vCPU.</summary>
    /// <param name="state">The registers.</param>
    /// <param name="vcpu">The vCPU; it must not have run yet.</param>
    /// <exception cref="Abstractions.Errors.VmmException">The hypervisor refuses a register.</exception>
    public static void ApplyTo(this BootState state, IVirtualCpu vcpu)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(vcpu);
        vcpu.Reset(initOnly: false);

        // Long mode must be on before the segments: a hypervisor that checks refuses a 64-bit code segment without it. And
        // EFER.LME and CR4.PAE must be there before paging is turned on (Intel SDM volume 3, initializing IA-32e mode).
        vcpu.SetRegister(RegisterName.Cr3, state.Cr3);
        vcpu.SetRegister(RegisterName.Cr4, state.Cr4);
        vcpu.SetRegister(RegisterName.Efer, state.Efer);
        vcpu.SetRegister(RegisterName.Cr0, state.Cr0);
        SetSegment(vcpu, RegisterName.Cs, state.Cs);
        SetSegment(vcpu, RegisterName.Ds, state.Ds);
        SetSegment(vcpu, RegisterName.Es, state.Es);
        SetSegment(vcpu, RegisterName.Fs, state.Fs);
        SetSegment(vcpu, RegisterName.Gs, state.Gs);
        SetSegment(vcpu, RegisterName.Ss, state.Ss);
        SetSegment(vcpu, RegisterName.Tr, state.Tr);
        SetSegment(vcpu, RegisterName.Ldtr, state.Ldtr);
        SetTable(vcpu, RegisterName.Gdtr, state.Gdtr);
        SetTable(vcpu, RegisterName.Idtr, state.Idtr);
        vcpu.GeneralRegisters = new GeneralRegisters
        {
            Rip = state.Rip,
            Rsp = state.Rsp,
            Rsi = state.Rsi,
            Rdi = state.Rdi,
            Rflags = state.Rflags,
        };
    }

    private static void SetSegment(IVirtualCpu vcpu, RegisterName register, in BootSegment segment)
    {
        vcpu.SetRegister(register, segment.Selector);
        vcpu.SetSegmentDescriptor(register, segment.Descriptor);
    }

    private static void SetTable(IVirtualCpu vcpu, RegisterName register, in BootDescriptorTable table) =>
        vcpu.SetSegmentDescriptor(register, new SegmentDescriptor(table.Base.Value, table.Limit, default));
}
