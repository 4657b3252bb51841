// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;
using Vmm.Engine.Cpuid;

namespace Vmm.Engine;

/// <content>CPUID in software. The host that the legacy answers derive from is the processor that the hypervisor can give.</content>
public sealed partial class VirtualCpu : ICpuidEmulation
{
    private const uint StateLeaf = 0xd;

    private CpuidLookup? _cpuidLookup;
    private CpuidConfiguration? _cpuidOfLookup;
    private ICpuidSource? _hypervisorCpuid;

    private ICpuidSource HypervisorProcessor => _hypervisorCpuid ??= HypervisorCpuid.Create(_machine.SupportedCpuid);

    /// <inheritdoc/>
    public CpuidEntry EmulateCpuid(uint function, uint index)
    {
        TakeOwnership();
        try
        {
            if ((_cpuid.Flags & CpuidFlags.LegacyHandling) != 0)
            {
                return LegacyAnswer(function, index);
            }

            if (_cpuidLookup is null || _cpuidOfLookup != _cpuid)
            {
                _cpuidLookup = new CpuidLookup(_cpuid);
                _cpuidOfLookup = _cpuid;
            }

            return _cpuidLookup.Query(function, index);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public CpuidEntry EmulateLegacyCpuid(uint function, uint index)
    {
        TakeOwnership();
        try
        {
            return LegacyAnswer(function, index);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public bool HasCapability(CpuidCapability capability)
    {
        TakeOwnership();
        try
        {
            return CpuidCapabilities.Has(HypervisorProcessor, capability);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    private CpuidEntry LegacyAnswer(uint function, uint index)
    {
        const ulong OsXsave = 1 << 18;
        const uint Xsave = 1 << 26;
        ICpuidSource host = HypervisorProcessor;
        CpuidEntry state = (host.Query(1, 0).Ecx & Xsave) != 0 ? host.Query(StateLeaf, 0) : default;
        return LegacyCpuid.Emulate(
            host,
            new LegacyCpuidState(
                (uint)Id.Value,
                _machine.Topology,
                _x2ApicState == X2ApicState.Enabled,
                (Backend.GetRegister(RegisterName.Cr4) & OsXsave) != 0,
                HasInvpcid(),
                state.Eax | (ulong)state.Edx << 32),
            function,
            index);
    }

    /// <summary>Whether INVPCID is on; a hypervisor without the switch leaves it to the entries.</summary>
    private bool HasInvpcid()
    {
        try
        {
            return Backend.GetCapability(VcpuCapability.EnableInvpcid);
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.ENOENT)
        {
            return false;
        }
    }
}
