// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine;

/// <content>Registers and architectural reset.</content>
public sealed partial class VirtualCpu
{
    private const uint ApicBaseMsr = 0x1b;
    private const ulong ApicBaseX2Apic = 1 << 10;
    private const int FpuLegacyAndHeader = 576;

    private X2ApicState _x2ApicState;

    /// <inheritdoc/>
    public GeneralRegisters GeneralRegisters
    {
        get
        {
            TakeOwnership();
            try
            {
                return Backend.GeneralRegisters;
            }
            finally
            {
                GiveOwnershipBack();
            }
        }

        set
        {
            TakeOwnership();
            try
            {
                if ((_isHalted || _isExitDue) && value.Rip != Backend.GetRegister(RegisterName.Rip))
                {
                    LeaveHalt();
                }

                Backend.GeneralRegisters = value;
            }
            finally
            {
                GiveOwnershipBack();
            }
        }
    }

    /// <inheritdoc/>
    public X2ApicState X2ApicState
    {
        get
        {
            TakeOwnership();
            try
            {
                return _machine.InterruptControllerMode == InterruptControllerMode.Userspace
                    ? _apic is null ? _x2ApicState : _apic.Mode == ApicMode.X2Apic ? X2ApicState.Enabled : X2ApicState.Disabled
                    : (ReadApicBase() & ApicBaseX2Apic) != 0 ? X2ApicState.Enabled : X2ApicState.Disabled;
            }
            finally
            {
                GiveOwnershipBack();
            }
        }

        set
        {
            const string Operation = "vm_set_x2apic_state";
            if (value is not (X2ApicState.Disabled or X2ApicState.Enabled))
            {
                EngineThrow.Invalid(Operation, $"{(int)value} is not an x2APIC state");
            }

            TakeOwnership();
            try
            {
                if (_hasRun)
                {
                    EngineThrow.Busy(Operation, $"vCPU {Id} has run");
                }

                if (_machine.InterruptControllerMode != InterruptControllerMode.Userspace)
                {
                    ulong apicBase = ReadApicBase() & ~ApicBaseX2Apic;
                    apicBase |= value == X2ApicState.Enabled ? ApicBaseX2Apic : 0;
                    if (!Backend.TrySetMsr(new MsrIndex(ApicBaseMsr), apicBase))
                    {
                        EngineThrow.Refuse(Operation, VmmError.ENOENT, "the hypervisor refuses the APIC base");
                    }
                }

                if (_apic is { } apic)
                {
                    apic.SetX2Apic(value == X2ApicState.Enabled);
                    PushApicBase(Backend, apic);
                }

                _x2ApicState = value;
            }
            finally
            {
                GiveOwnershipBack();
            }
        }
    }

    /// <inheritdoc/>
    public ulong GetRegister(RegisterName register)
    {
        RequireRegister("vm_get_register", register);
        TakeOwnership();
        try
        {
            return Backend.GetRegister(register);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void SetRegister(RegisterName register, ulong value)
    {
        RequireRegister("vm_set_register", register);
        if (register == RegisterName.Xcr0 && !Xcr0.IsValidForGuest(value, SupportedXcr0()))
        {
            EngineThrow.Invalid("vm_set_register", $"XCR0 0x{value:x} is not within 0x{SupportedXcr0():x} or breaks its rules");
        }

        TakeOwnership();
        try
        {
            if (register == RegisterName.Rip)
            {
                LeaveHalt();
            }

            Backend.SetRegister(register, value);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public SegmentDescriptor GetSegmentDescriptor(RegisterName register)
    {
        RequireDescriptor("vm_get_seg_desc", register);
        TakeOwnership();
        try
        {
            return Backend.GetSegmentDescriptor(register);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor)
    {
        RequireDescriptor("vm_set_seg_desc", register);
        TakeOwnership();
        try
        {
            Backend.SetSegmentDescriptor(register, descriptor);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public int GetFpu(Span<byte> destination)
    {
        TakeOwnership();
        try
        {
            return Backend.GetFpu(destination);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void SetFpu(ReadOnlySpan<byte> source)
    {
        if (source.Length < FpuLegacyAndHeader)
        {
            EngineThrow.Refuse(
                "vm_set_fpu", VmmError.ENOSPC, $"an FPU image has at least {FpuLegacyAndHeader} bytes, not {source.Length}");
        }

        TakeOwnership();
        try
        {
            Backend.SetFpu(source);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public bool TryGetMsr(MsrIndex index, out ulong value)
    {
        TakeOwnership();
        try
        {
            return TryGetMsrOwned(Backend, index, out value);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public bool TrySetMsr(MsrIndex index, ulong value)
    {
        TakeOwnership();
        try
        {
            return TrySetMsrOwned(Backend, index, value);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void Reset(bool initOnly)
    {
        TakeOwnership();
        try
        {
            ResetOwned(initOnly);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    private static void RequireRegister(string operation, RegisterName register)
    {
        if (!Enum.IsDefined(register) || register is RegisterName.Gdtr or RegisterName.Idtr)
        {
            EngineThrow.Invalid(operation, $"{register} is not a register with a value");
        }
    }

    private static void RequireDescriptor(string operation, RegisterName register)
    {
        if (register is not (>= RegisterName.Es and <= RegisterName.Gdtr))
        {
            EngineThrow.Invalid(operation, $"{register} has no descriptor");
        }
    }

    private void ResetOwned(bool initOnly)
    {
        _isExitDue = false;
        DiscardPending(Backend);
        BackendVcpuReset.Apply(Backend, initOnly);
        ResetLocalApic(Backend, initOnly);
        ResetMsrs(initOnly);
        _exitEvents.Clear();
        _exceptionEvent = default;
        Volatile.Write(ref _nmiPending, false);
        Volatile.Write(ref _externalInterruptPending, false);
        Interlocked.Exchange(ref _attention, 1);
        LeaveHalt();
    }

    private ulong ReadApicBase()
    {
        if (!Backend.TryGetMsr(new MsrIndex(ApicBaseMsr), out ulong value))
        {
            EngineThrow.Refuse("vm_get_x2apic_state", VmmError.ENOENT, "the hypervisor does not tell the APIC base");
        }

        return value;
    }

    /// <summary>The bits of XCR0 that the hypervisor offers: CPUID leaf 0xD, subleaf 0, EDX:EAX; x87 alone without it.</summary>
    private ulong SupportedXcr0()
    {
        foreach (Abstractions.Cpuid.CpuidEntry entry in _machine.SupportedCpuid)
        {
            if (entry is { Function: 0xd, Index: 0 })
            {
                return entry.Eax | ((ulong)entry.Edx << 32);
            }
        }

        return 1;
    }
}
