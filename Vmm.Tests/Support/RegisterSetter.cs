// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>Sets the registers of a vCPU, be it a backend's or the engine's.</summary>
internal sealed record RegisterSetter(
    Action<GeneralRegisters> SetGeneral, Action<RegisterName, ulong> Set, Action<RegisterName, SegmentDescriptor> SetDescriptor)
{
    public static RegisterSetter Of(IBackendVcpu cpu) =>
        new(general => cpu.GeneralRegisters = general, cpu.SetRegister, (register, descriptor) => cpu.SetSegmentDescriptor(register, descriptor));

    public static RegisterSetter Of(IVcpuRegisters cpu) =>
        new(general => cpu.GeneralRegisters = general, cpu.SetRegister, (register, descriptor) => cpu.SetSegmentDescriptor(register, descriptor));
}
