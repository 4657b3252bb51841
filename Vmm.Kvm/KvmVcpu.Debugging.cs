// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Capabilities, and what KVM does for a debugger.</content>
internal sealed partial class KvmVcpu : IBackendDebugging
{
    private const int Dr7 = 7;
    private const ulong Dr7Fixed = 0x400;
    private const ulong Dr7GlobalExact = 1 << 9;
    private const uint ExtendedFeatures = 7;
    private const uint Invpcid = 1 << 10;

    private KvmGuestDebugFlags _guestDebug;
    private KvmGuestDebugFlags _armedDebug;
    private KvmGuestDebugArch _breakpoints;
    private bool _hasInvpcid;

    /// <inheritdoc/>
    public DebugFeatures DebugFeatures => _vm.Backend.DebugSupport.Kernel;

    /// <inheritdoc/>
    public DebugFeatures UserModeDebugFeatures => _vm.Backend.DebugSupport.User;

    /// <inheritdoc/>
    public bool GetCapability(VcpuCapability capability) => capability switch
    {
        VcpuCapability.HaltExit => HasHaltExits,
        VcpuCapability.MonitorTrapExit => _guestDebug.HasFlag(KvmGuestDebugFlags.Singlestep),
        VcpuCapability.BreakpointExit => _guestDebug.HasFlag(KvmGuestDebugFlags.UseSwBp),
        VcpuCapability.EnableInvpcid => _hasInvpcid,
        _ => throw NoCapability("vmgetcap", capability),
    };

    /// <inheritdoc/>
    public void SetCapability(VcpuCapability capability, bool enabled)
    {
        switch (capability)
        {
            case VcpuCapability.HaltExit or VcpuCapability.EnableInvpcid when enabled == GetCapability(capability):
                break;
            case VcpuCapability.MonitorTrapExit:
                SetGuestDebug(KvmGuestDebugFlags.Singlestep, enabled);
                break;
            case VcpuCapability.BreakpointExit:
                SetGuestDebug(KvmGuestDebugFlags.UseSwBp, enabled);
                break;
            default:
                throw NoCapability("vmsetcap", capability);
        }
    }

    /// <inheritdoc/>
    public void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints)
    {
        KvmGuestDebugArch armed = default;
        ulong control = Dr7Fixed | Dr7GlobalExact;
        for (int number = 0; number < breakpoints.Length; number++)
        {
            HardwareBreakpoint breakpoint = breakpoints[number];

            // Lengths 1, 2, 4 and 8 are 0, 1, 3 and 2 in DR7 (Intel SDM volume 3, debug control register).
            ulong length = breakpoint.Length switch { 1 => 0ul, 2 => 1, 4 => 3, _ => 2 };
            armed.Debugreg[number] = breakpoint.Address.Value;
            control |= 2ul << (number * 2);
            control |= ((length << 2) | (ulong)breakpoint.Kind) << (16 + (number * 4));
        }

        armed.Debugreg[Dr7] = control;
        _breakpoints = armed;
        SetGuestDebug(KvmGuestDebugFlags.UseHwBp, enabled: !breakpoints.IsEmpty);
    }

    /// <summary>Whether HLT leaves the guest for this process: nobody else could wake the vCPU.</summary>
    private bool HasHaltExits => IsWithoutController && !_vm.DisabledExits.HasFlag(DisabledExits.Halt);

    private VmmException NoCapability(string operation, VcpuCapability capability) =>
        new(operation, VmmError.ENOENT, capability switch
        {
            VcpuCapability.HaltExit when IsWithoutController =>
                "on KVM exits for HLT are disabled for a VM and before its vCPUs exist: VirtualMachineOptions.DisabledExits",
            VcpuCapability.HaltExit => "on KVM whoever has the local APICs handles HLT; create the VM in userspace mode for exits",
            VcpuCapability.PauseExit => "KVM never hands PAUSE to user space",
            VcpuCapability.EnableInvpcid => "on KVM the INVPCID bit of CPUID decides: set it with IVirtualCpu.Cpuid before the first run",
            VcpuCapability.TraceExceptions => "KVM delivers the guest's exceptions without an exit to user space",
            VcpuCapability.TrapWbinvd => "KVM executes WBINVD and INVD itself and never hands them to user space",
            _ => $"KVM does not offer {capability}",
        });

    private void SetGuestDebug(KvmGuestDebugFlags flag, bool enabled)
    {
        WriteBack();
        _guestDebug = enabled ? _guestDebug | flag : _guestDebug & ~flag;
        GiveGuestDebug(_guestDebug);
    }

    /// <summary>Gives KVM the control flags for the next entry, if they are not the ones that it has.</summary>
    private void ArmGuestDebug(KvmGuestDebugFlags wanted)
    {
        if (wanted != _armedDebug)
        {
            GiveGuestDebug(wanted);
        }
    }

    private void GiveGuestDebug(KvmGuestDebugFlags wanted)
    {
        KvmGuestDebugFlags control = wanted == KvmGuestDebugFlags.None ? wanted : wanted | KvmGuestDebugFlags.Enable;
        _fd.SetGuestDebug(new KvmGuestDebug { Control = (uint)control, Arch = _breakpoints });
        _armedDebug = wanted;
    }

    private void NoteInvpcid(ReadOnlySpan<CpuidEntry> entries)
    {
        _hasInvpcid = false;
        foreach (CpuidEntry entry in entries)
        {
            if (entry is { Function: ExtendedFeatures, Index: 0 })
            {
                _hasInvpcid = (entry.Ebx & Invpcid) != 0;
            }
        }
    }
}
