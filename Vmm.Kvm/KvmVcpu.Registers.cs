// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Registers: caches, held-back writes and the order in which they are written.</content>
internal sealed partial class KvmVcpu
{
    private readonly bool _syncRegisters;
    private bool _regsValid;
    private bool _regsDirty;
    private KvmRegs _ownRegs;
    private uint _heldMask;
    private KvmRegs _heldRegs;
    private bool _sregsValid;
    private bool _sregsDirty;
    private KvmSregs _sregs;
    private bool _debugregsValid;
    private bool _debugregsDirty;
    private KvmDebugregs _debugregs;
    private bool _xcrsDirty;
    private ulong _xcr0;

    /// <inheritdoc/>
    public GeneralRegisters GeneralRegisters
    {
        get
        {
            KvmRegs regs = Regs;
            for (int i = 0; i < RegisterSlots.Count; i++)
            {
                if ((_heldMask & (1u << i)) != 0)
                {
                    RegisterSlots.At(ref regs, i) = RegisterSlots.At(ref _heldRegs, i);
                }
            }

            return KvmConvert.ToRegisters(regs);
        }

        set
        {
            KvmRegs regs = KvmConvert.FromRegisters(value);
            if (MustHoldWrites)
            {
                _heldRegs = regs;
                _heldMask = RegisterSlots.All;
                return;
            }

            Regs = regs;
            _regsDirty = true;
        }
    }

    /// <summary>Whether a write to registers would destroy what KVM keeps of a pending read.</summary>
    private bool MustHoldWrites => Pending != Vmm.Abstractions.Vcpu.PendingOperation.None && _pendingHoldsWrites;

    /// <summary>Whether something was written while a read was pending.</summary>
    private bool HasHeldWrites =>
        _pendingHoldsWrites && (_heldMask != 0 || _sregsDirty || _debugregsDirty || _xcrsDirty || _eventsDirty);

    /// <summary>The general registers: in the run page where KVM puts them there, else read on first use.</summary>
    private ref KvmRegs Regs
    {
        get
        {
            ref KvmRegs regs = ref (_syncRegisters ? ref _page.Run.SyncRegs.Regs : ref _ownRegs);
            if (!_regsValid)
            {
                _fd.GetRegs(out regs);
                _regsValid = true;
            }

            return ref regs;
        }
    }

    private ref KvmSregs Sregs
    {
        get
        {
            if (!_sregsValid)
            {
                _fd.GetSregs(out _sregs);
                _sregsValid = true;
            }

            return ref _sregs;
        }
    }

    private ref KvmDebugregs Debugregs
    {
        get
        {
            if (!_debugregsValid)
            {
                _fd.GetDebugregs(out _debugregs);
                _debugregsValid = true;
            }

            return ref _debugregs;
        }
    }

    /// <inheritdoc/>
    public ulong GetRegister(RegisterName register)
    {
        int slot = RegisterSlots.Of(register);
        if (slot >= 0)
        {
            return RegisterSlots.At(ref (_heldMask & (1u << slot)) != 0 ? ref _heldRegs : ref Regs, slot);
        }

        switch (register)
        {
            case >= RegisterName.Es and <= RegisterName.Tr:
                return SegmentOf(ref Sregs, register).Selector;
            case RegisterName.Cr0:
                return Sregs.Cr0;
            case RegisterName.Cr2:
                return Sregs.Cr2;
            case RegisterName.Cr3:
                return Sregs.Cr3;
            case RegisterName.Cr4:
                return Sregs.Cr4;
            case RegisterName.Efer:
                return Sregs.Efer;
            case RegisterName.Dr7:
                return Debugregs.Dr7;
            case RegisterName.Dr6:
                return Debugregs.Dr6;
            case >= RegisterName.Dr0 and <= RegisterName.Dr3:
                return Debugregs.Db[register - RegisterName.Dr0];
            case >= RegisterName.Pdpte0 and <= RegisterName.Pdpte3:
                return GetPdpte(register - RegisterName.Pdpte0);
            case RegisterName.InterruptShadow:
                return Events.InterruptShadow ? 1u : 0u;
            case RegisterName.Xcr0:
                return GetXcr0();
            default:
                throw Unrepresentable("vmgetreg", register);
        }
    }

    /// <inheritdoc/>
    public void SetRegister(RegisterName register, ulong value)
    {
        int slot = RegisterSlots.Of(register);
        if (slot >= 0)
        {
            SetSlot(slot, value);
            return;
        }

        switch (register)
        {
            case >= RegisterName.Es and <= RegisterName.Tr:
                SegmentOf(ref Sregs, register).Selector = (ushort)value;
                break;
            case RegisterName.Cr0:
                Sregs.Cr0 = value;
                break;
            case RegisterName.Cr2:
                Sregs.Cr2 = value;
                break;
            case RegisterName.Cr3:
                Sregs.Cr3 = value;
                break;
            case RegisterName.Cr4:
                Sregs.Cr4 = value;
                break;
            case RegisterName.Efer:
                Sregs.Efer = value;
                break;
            case RegisterName.Dr7:
                Debugregs.Dr7 = value;
                _debugregsDirty = true;
                return;
            case RegisterName.Dr6:
                Debugregs.Dr6 = value;
                _debugregsDirty = true;
                return;
            case >= RegisterName.Dr0 and <= RegisterName.Dr3:
                Debugregs.Db[register - RegisterName.Dr0] = value;
                _debugregsDirty = true;
                return;
            case >= RegisterName.Pdpte0 and <= RegisterName.Pdpte3:
                SetPdpte(register - RegisterName.Pdpte0, value);
                return;
            case RegisterName.InterruptShadow:
                Events = Events with { InterruptShadow = value != 0 };
                return;
            case RegisterName.Xcr0:
                _xcr0 = value;
                _xcrsDirty = true;
                return;
            default:
                throw Unrepresentable("vmsetreg", register);
        }

        _sregsDirty = true;
    }

    /// <inheritdoc/>
    public SegmentDescriptor GetSegmentDescriptor(RegisterName register)
    {
        ref KvmSregs sregs = ref Sregs;
        return register switch
        {
            RegisterName.Gdtr => new SegmentDescriptor(sregs.Gdt.Base, sregs.Gdt.Limit, default),
            RegisterName.Idtr => new SegmentDescriptor(sregs.Idt.Base, sregs.Idt.Limit, default),
            _ => KvmConvert.ToDescriptor(SegmentOf(ref sregs, register)),
        };
    }

    /// <inheritdoc/>
    public void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor)
    {
        ref KvmSregs sregs = ref Sregs;
        switch (register)
        {
            case RegisterName.Gdtr:
                sregs.Gdt.Base = descriptor.Base;
                sregs.Gdt.Limit = (ushort)descriptor.Limit;
                break;
            case RegisterName.Idtr:
                sregs.Idt.Base = descriptor.Base;
                sregs.Idt.Limit = (ushort)descriptor.Limit;
                break;
            default:
                KvmConvert.SetDescriptor(ref SegmentOf(ref sregs, register), descriptor);
                break;
        }

        _sregsDirty = true;
    }

    private static ref KvmSegment SegmentOf(ref KvmSregs sregs, RegisterName register)
    {
        switch (register)
        {
            case RegisterName.Es:
                return ref sregs.Es;
            case RegisterName.Cs:
                return ref sregs.Cs;
            case RegisterName.Ss:
                return ref sregs.Ss;
            case RegisterName.Ds:
                return ref sregs.Ds;
            case RegisterName.Fs:
                return ref sregs.Fs;
            case RegisterName.Gs:
                return ref sregs.Gs;
            case RegisterName.Ldtr:
                return ref sregs.Ldt;
            case RegisterName.Tr:
                return ref sregs.Tr;
            default:
                throw Unrepresentable("segment", register);
        }
    }

    private static VmmException Unrepresentable(string operation, RegisterName register) =>
        new(operation, VmmError.EINVAL, $"KVM has no register {register}");

    private void SetSlot(int slot, ulong value)
    {
        if (MustHoldWrites)
        {
            RegisterSlots.At(ref _heldRegs, slot) = value;
            _heldMask |= 1u << slot;
            return;
        }

        RegisterSlots.At(ref Regs, slot) = value;
        _regsDirty = true;
    }

    private ulong GetPdpte(int index)
    {
        if (!_vm.Has(KvmCapability.Sregs2))
        {
            return 0;
        }

        WriteBack();
        _fd.GetSregs2(out KvmSregs2 sregs);
        return ((KvmSregs2Flags)sregs.Flags).HasFlag(KvmSregs2Flags.PdptrsValid) ? sregs.Pdptrs[index] : 0;
    }

    /// <summary>Sets a PAE pointer where KVM keeps them; without PAE paging they have no effect, as on SVM.</summary>
    private void SetPdpte(int index, ulong value)
    {
        if (!_vm.Has(KvmCapability.Sregs2))
        {
            return;
        }

        WriteBack();
        _fd.GetSregs2(out KvmSregs2 sregs);
        if (((KvmSregs2Flags)sregs.Flags).HasFlag(KvmSregs2Flags.PdptrsValid))
        {
            sregs.Pdptrs[index] = value;
            ClearLongCode(ref sregs.Cs, sregs.Cr0, sregs.Efer);
            _fd.SetSregs2(sregs);
            _sregsValid = false;
        }
    }

    /// <summary>
    /// Outside long mode processors ignore CS.L (volume 3, section 3.4.5), and descriptors that a guest loads may have it; KVM keeps what
    /// its emulator loads, and refuses all special registers for it.
    /// </summary>
    private static void ClearLongCode(ref KvmSegment code, ulong cr0, ulong efer)
    {
        const ulong Paging = 1ul << 31;
        const ulong LongModeEnable = 1 << 8;
        if ((cr0 & Paging) == 0 || (efer & LongModeEnable) == 0)
        {
            code.L = 0;
        }
    }

    private ulong GetXcr0()
    {
        if (_xcrsDirty)
        {
            return _xcr0;
        }

        if (!_vm.Has(KvmCapability.Xcrs))
        {
            return 1;
        }

        _fd.GetXcrs(out KvmXcrs xcrs);
        for (int i = 0; i < Math.Min((int)xcrs.NrXcrs, KvmConstants.MaxXcrs); i++)
        {
            if (xcrs.Xcrs[i].Xcr == 0)
            {
                return xcrs.Xcrs[i].Value;
            }
        }

        return 1;
    }

    private void SetXcr0()
    {
        _xcrsDirty = false;
        if (!_vm.Has(KvmCapability.Xcrs))
        {
            return;
        }

        KvmXcrs xcrs = new() { NrXcrs = 1 };
        xcrs.Xcrs[0].Value = _xcr0;
        _fd.SetXcrs(xcrs);
    }

    /// <summary>Gives KVM everything that was changed: special registers, general registers, then events.</summary>
    private void WriteBack()
    {
        if (_sregsDirty)
        {
            ClearLongCode(ref _sregs.Cs, _sregs.Cr0, _sregs.Efer);
            _fd.SetSregs(_sregs);
            _sregsDirty = false;
        }

        if (_debugregsDirty)
        {
            _fd.SetDebugregs(_debugregs);
            _debugregsDirty = false;
        }

        if (_xcrsDirty)
        {
            SetXcr0();
        }

        if (_regsDirty)
        {
            WriteRegs(throughPage: !_eventsDirty);
        }

        if (_eventsDirty)
        {
            WriteEvents();
        }
    }

    private void WriteRegs(bool throughPage)
    {
        _regsDirty = false;
        if (_syncRegisters && throughPage)
        {
            _page.Run.DirtyRegs |= (ulong)KvmSyncFields.Regs;
        }
        else
        {
            _fd.SetRegs(Regs);
        }
    }

    /// <summary>Notes what a KVM_RUN has made of the caches.</summary>
    /// <param name="entered">Whether the run surely entered the guest, which has then taken an interrupt that was queued.</param>
    private void AfterRun(bool entered)
    {
        _hasRun = true;
        _regsValid = _syncRegisters;
        _sregsValid = _sregsDirty;
        _debugregsValid = _debugregsDirty;
        _eventsValid = _eventsDirty;
        _eventsTouched = _eventsDirty;
        _isInterruptQueued &= !entered;
    }

    /// <summary>Makes the writes that were held back while a read was pending.</summary>
    private void ApplyHeldWrites()
    {
        if (_heldMask != 0)
        {
            ref KvmRegs regs = ref Regs;
            for (int i = 0; i < RegisterSlots.Count; i++)
            {
                if ((_heldMask & (1u << i)) != 0)
                {
                    RegisterSlots.At(ref regs, i) = RegisterSlots.At(ref _heldRegs, i);
                }
            }

            _heldMask = 0;
            _regsDirty = true;
        }

        WriteBack();
    }
}
