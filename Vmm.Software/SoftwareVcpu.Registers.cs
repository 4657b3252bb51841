// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using GeneralRegisters = Vmm.Abstractions.Registers.GeneralRegisters;

namespace Vmm.Software;

/// <content>Registers, and writes that wait until an answered instruction has retired.</content>
internal sealed partial class SoftwareVcpu
{
    private readonly List<HeldWrite> _held = [];

    /// <inheritdoc/>
    public GeneralRegisters GeneralRegisters
    {
        get => new()
        {
            Rax = GetRegister(RegisterName.Rax),
            Rbx = GetRegister(RegisterName.Rbx),
            Rcx = GetRegister(RegisterName.Rcx),
            Rdx = GetRegister(RegisterName.Rdx),
            Rsi = GetRegister(RegisterName.Rsi),
            Rdi = GetRegister(RegisterName.Rdi),
            Rbp = GetRegister(RegisterName.Rbp),
            Rsp = GetRegister(RegisterName.Rsp),
            R8 = GetRegister(RegisterName.R8),
            R9 = GetRegister(RegisterName.R9),
            R10 = GetRegister(RegisterName.R10),
            R11 = GetRegister(RegisterName.R11),
            R12 = GetRegister(RegisterName.R12),
            R13 = GetRegister(RegisterName.R13),
            R14 = GetRegister(RegisterName.R14),
            R15 = GetRegister(RegisterName.R15),
            Rip = GetRegister(RegisterName.Rip),
            Rflags = GetRegister(RegisterName.Rflags),
        };
        set
        {
            SetRegister(RegisterName.Rax, value.Rax);
            SetRegister(RegisterName.Rbx, value.Rbx);
            SetRegister(RegisterName.Rcx, value.Rcx);
            SetRegister(RegisterName.Rdx, value.Rdx);
            SetRegister(RegisterName.Rsi, value.Rsi);
            SetRegister(RegisterName.Rdi, value.Rdi);
            SetRegister(RegisterName.Rbp, value.Rbp);
            SetRegister(RegisterName.Rsp, value.Rsp);
            SetRegister(RegisterName.R8, value.R8);
            SetRegister(RegisterName.R9, value.R9);
            SetRegister(RegisterName.R10, value.R10);
            SetRegister(RegisterName.R11, value.R11);
            SetRegister(RegisterName.R12, value.R12);
            SetRegister(RegisterName.R13, value.R13);
            SetRegister(RegisterName.R14, value.R14);
            SetRegister(RegisterName.R15, value.R15);
            SetRegister(RegisterName.Rip, value.Rip);
            SetRegister(RegisterName.Rflags, value.Rflags);
        }
    }

    /// <inheritdoc/>
    public ulong GetRegister(RegisterName register) => FindHeld(register, isDescriptor: false) is { } held
        ? held.Value
        : Read(register);

    /// <inheritdoc/>
    public void SetRegister(RegisterName register, ulong value)
    {
        if (_pending == PendingOperation.None)
        {
            Write(register, value);
            return;
        }

        // Refuses now what it would refuse later.
        _ = Read(register);
        Hold(new HeldWrite(register, value, null));
    }

    /// <inheritdoc/>
    public SegmentDescriptor GetSegmentDescriptor(RegisterName register)
    {
        if (FindHeld(register, isDescriptor: true) is { Descriptor: { } held })
        {
            return held;
        }

        switch (register)
        {
            case RegisterName.Gdtr:
                return new SegmentDescriptor(State.Gdtr.Base, State.Gdtr.Limit, default);
            case RegisterName.Idtr:
                return new SegmentDescriptor(State.Idtr.Base, State.Idtr.Limit, default);
            case >= RegisterName.Es and <= RegisterName.Tr:
                ref readonly SegmentState segment = ref State.Segments[register - RegisterName.Es];
                return new SegmentDescriptor(segment.Base, segment.Limit, new SegmentAccess(segment.Access));
            default:
                throw Unrepresentable("vmgetdesc", register);
        }
    }

    /// <inheritdoc/>
    public void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor)
    {
        if (_pending != PendingOperation.None)
        {
            _ = GetSegmentDescriptor(register);
            Hold(new HeldWrite(register, 0, descriptor));
            return;
        }

        Write(register, descriptor);
    }

    private void Write(RegisterName register, in SegmentDescriptor descriptor)
    {
        switch (register)
        {
            case RegisterName.Gdtr:
                State.Gdtr = new() { Base = descriptor.Base, Limit = (ushort)descriptor.Limit };
                break;
            case RegisterName.Idtr:
                State.Idtr = new() { Base = descriptor.Base, Limit = (ushort)descriptor.Limit };
                break;
            case >= RegisterName.Es and <= RegisterName.Tr:
                ref SegmentState segment = ref State.Segments[register - RegisterName.Es];
                segment.Base = descriptor.Base;
                segment.Limit = descriptor.Limit;
                segment.Access = descriptor.Access.Value;
                break;
            default:
                throw Unrepresentable("vmsetdesc", register);
        }
    }

    private ulong Read(RegisterName register)
    {
        int general = NumberOf(register);
        if (general >= 0)
        {
            return State.General[general];
        }

        switch (register)
        {
            case RegisterName.Rip:
                return State.Rip;
            case RegisterName.Rflags:
                return State.Rflags;
            case >= RegisterName.Es and <= RegisterName.Tr:
                return State.Segments[register - RegisterName.Es].Selector;
            case RegisterName.Cr0:
                return State.Cr0;
            case RegisterName.Cr2:
                return State.Cr2;
            case RegisterName.Cr3:
                return State.Cr3;
            case RegisterName.Cr4:
                return State.Cr4;
            case RegisterName.Efer:
                return State.Efer;
            case RegisterName.Xcr0:
                return State.Xcr0;
            case RegisterName.Dr6:
                return State.Dr6;
            case RegisterName.Dr7:
                return State.Dr7;
            case >= RegisterName.Dr0 and <= RegisterName.Dr3:
                return State.DebugAddresses[register - RegisterName.Dr0];
            case RegisterName.InterruptShadow:
                return State.Shadow != InterruptShadow.None ? 1u : 0u;
            case >= RegisterName.Pdpte0 and <= RegisterName.Pdpte3:
                // The executor reads them from memory, as AMD's processors do in a guest.
                return 0;
            default:
                throw Unrepresentable("vmgetreg", register);
        }
    }

    private void Write(RegisterName register, ulong value)
    {
        int general = NumberOf(register);
        if (general >= 0)
        {
            State.General[general] = value;
            return;
        }

        switch (register)
        {
            case RegisterName.Rip:
                State.Rip = value;
                break;
            case RegisterName.Rflags:
                const ulong AlwaysSet = 2;
                State.Rflags = value | AlwaysSet;
                break;
            case >= RegisterName.Es and <= RegisterName.Tr:
                State.Segments[register - RegisterName.Es].Selector = (ushort)value;
                break;
            case RegisterName.Cr2:
                State.Cr2 = value;
                break;
            case RegisterName.Cr0 or RegisterName.Cr3 or RegisterName.Cr4 or RegisterName.Efer:
                WritePaging(register, value);
                break;
            case RegisterName.Xcr0:
                State.Xcr0 = value;
                break;
            case RegisterName.Dr6:
                State.Dr6 = value;
                break;
            case RegisterName.Dr7:
                State.Dr7 = value;
                break;
            case >= RegisterName.Dr0 and <= RegisterName.Dr3:
                State.DebugAddresses[register - RegisterName.Dr0] = value;
                break;
            case RegisterName.InterruptShadow:
                Events = Events with { InterruptShadow = value != 0 };
                break;
            case >= RegisterName.Pdpte0 and <= RegisterName.Pdpte3:
                break;
            default:
                throw Unrepresentable("vmsetreg", register);
        }
    }

    private void WritePaging(RegisterName register, ulong value)
    {
        switch (register)
        {
            case RegisterName.Cr0:
                State.Cr0 = value;
                break;
            case RegisterName.Cr3:
                State.Cr3 = value;
                break;
            case RegisterName.Cr4:
                State.Cr4 = value;
                break;
            default:
                State.Efer = value;
                break;
        }

        State.FlushTranslations();
    }

    private HeldWrite? FindHeld(RegisterName register, bool isDescriptor)
    {
        for (int i = _held.Count - 1; i >= 0; i--)
        {
            if (_held[i].Register == register && _held[i].Descriptor.HasValue == isDescriptor)
            {
                return _held[i];
            }
        }

        return null;
    }

    private void Hold(in HeldWrite write)
    {
        for (int i = 0; i < _held.Count; i++)
        {
            if (_held[i].Register == write.Register && _held[i].Descriptor.HasValue == write.Descriptor.HasValue)
            {
                _held[i] = write;
                return;
            }
        }

        _held.Add(write);
    }

    private void ApplyHeldWrites()
    {
        foreach (HeldWrite write in _held)
        {
            if (write.Descriptor is { } descriptor)
            {
                Write(write.Register, descriptor);
            }
            else
            {
                Write(write.Register, write.Value);
            }
        }

        _held.Clear();
    }

    /// <summary>A general register's number in instructions; negative for others.</summary>
    private static int NumberOf(RegisterName register) => register switch
    {
        RegisterName.Rax => 0,
        RegisterName.Rcx => 1,
        RegisterName.Rdx => 2,
        RegisterName.Rbx => 3,
        RegisterName.Rsp => 4,
        RegisterName.Rbp => 5,
        RegisterName.Rsi => 6,
        RegisterName.Rdi => 7,
        >= RegisterName.R8 and <= RegisterName.R15 => 8 + (register - RegisterName.R8),
        _ => -1,
    };

    /// <summary>A write that waits: a value, or the hidden part of a segment register.</summary>
    private readonly record struct HeldWrite(RegisterName Register, ulong Value, SegmentDescriptor? Descriptor);
}
