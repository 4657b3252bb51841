// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>FPU, MSRs, CPUID, events, capabilities.</content>
internal sealed partial class KvmVcpu
{
    private const int XsaveHeaderEnd = 576;
    private const int XcompBvOffset = 520;

    private bool _eventsValid;
    private bool _eventsDirty;
    private bool _eventsTouched;
    private bool _isInterruptQueued;
    private BackendEvents _events;
    private byte[] _xsave = [];

    /// <inheritdoc/>
    public BackendEvents Events
    {
        get
        {
            if (!_eventsValid)
            {
                // Registers first: setting them later would clear a pending exception.
                if (!MustHoldWrites && _regsDirty)
                {
                    WriteRegs(throughPage: false);
                }

                _fd.GetVcpuEvents(out KvmVcpuEvents events);
                _events = FromKvm(events);
                _eventsValid = true;
            }

            return _events;
        }

        set
        {
            _events = value;
            _eventsValid = true;
            _eventsDirty = true;
            _eventsTouched = true;
            _isInterruptQueued = value.Injected is { IsValid: true, Type: EventType.HardwareInterrupt };
        }
    }

    /// <inheritdoc/>
    public bool IsReadyForInterrupt
    {
        get
        {
            if (_isInterruptQueued)
            {
                return false;
            }

            // What KVM says holds for the state that the run left; the engine may have executed instructions or changed state since.
            bool isEnabled = (Regs.Rflags & (1 << 9)) != 0;
            if (_hasRun && !_eventsTouched && isEnabled == (_page.Run.IfFlag != 0))
            {
                return _page.Run.ReadyForInterruptInjection != 0;
            }

            // In split mode the local APIC, which is KVM's, has a say too: KVM tells after the next run.
            return IsWithoutController && isEnabled && Events is { InterruptShadow: false, Injected.IsValid: false };
        }
    }

    /// <inheritdoc/>
    public byte TaskPriority
    {
        get => IsWithoutController ? (byte)(_page.Run.Cr8 & 0xf) : (byte)0;
        set
        {
            if (IsWithoutController)
            {
                _page.Run.Cr8 = value & 0xfu;
            }
        }
    }

    /// <inheritdoc/>
    public long TscDeadlineFrequency => _vm.FiltersApicMsrs ? TscFrequency : 0;

    /// <inheritdoc/>
    public bool InterruptWindowRequested
    {
        get => _page.Run.RequestInterruptWindow != 0;
        set => _page.Run.RequestInterruptWindow = value ? (byte)1 : (byte)0;
    }

    /// <inheritdoc/>
    public BackendActivity Activity
    {
        get => _vm.InterruptControllerMode == InterruptControllerMode.Userspace
            ? BackendActivity.Runnable
            : (BackendActivity)_fd.GetMpState();
        set
        {
            if (_vm.InterruptControllerMode != InterruptControllerMode.Userspace)
            {
                _fd.SetMpState((KvmMpStateValue)value);
            }
        }
    }

    /// <inheritdoc/>
    public void InjectInterrupt(byte vector)
    {
        WriteBack();
        _fd.Interrupt(vector);
        _isInterruptQueued = true;
        _eventsValid = false;
    }

    /// <inheritdoc/>
    public void InjectNmi()
    {
        WriteBack();
        _fd.Nmi();
        _eventsValid = false;
    }

    /// <inheritdoc/>
    public int GetFpu(Span<byte> destination)
    {
        int length = _fd.XsaveLength;
        if (destination.Length < length)
        {
            throw new VmmException("vm_get_fpu", VmmError.ENOSPC, $"the image has {length} bytes");
        }

        if (_vm.Has(KvmCapability.Xsave2))
        {
            _fd.GetXsave2(destination[..length]);
        }
        else
        {
            _fd.GetXsave(out KvmXsave state);
            System.Runtime.InteropServices.MemoryMarshal.Write(destination, in state);
        }

        return length;
    }

    /// <inheritdoc/>
    public void SetFpu(ReadOnlySpan<byte> source)
    {
        const string Operation = "vm_set_fpu";
        if (source.Length < XsaveHeaderEnd)
        {
            throw new VmmException(Operation, VmmError.ENOSPC, $"an image has at least {XsaveHeaderEnd} bytes");
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(source[XcompBvOffset..]) != 0)
        {
            throw new VmmException(Operation, VmmError.EINVAL, "the image is compacted");
        }

        // KVM reads as many bytes as the guest's components need, whatever the caller has.
        int length = Math.Max(_fd.XsaveLength, source.Length);
        if (_xsave.Length < length)
        {
            _xsave = new byte[length];
        }

        source.CopyTo(_xsave);
        _xsave.AsSpan(source.Length).Clear();
        _fd.SetXsave(_xsave);
    }

    /// <inheritdoc/>
    public bool TryGetMsr(MsrIndex index, out ulong value)
    {
        WriteBack();
        return _fd.TryGetMsr(index.Value, out value);
    }

    /// <inheritdoc/>
    public bool TrySetMsr(MsrIndex index, ulong value)
    {
        WriteBack();
        bool done = _fd.TrySetMsr(index.Value, value);

        // Some MSRs are views of special registers: EFER, the segment bases, the APIC base.
        _sregsValid = false;
        return done;
    }

    /// <inheritdoc/>
    public void MemoryWritten() => _vm.ForgetShadows();

    /// <inheritdoc/>
    public void ForgetTranslations()
    {
        const ulong GlobalPages = 1 << 7;
        _vm.ForgetShadows();
        WriteBack();

        // A change of CR4.PGE invalidates everything, global translations too (Intel SDM volume 3, invalidation of TLBs).
        KvmSregs sregs = Sregs;
        sregs.Cr4 ^= GlobalPages;
        _fd.SetSregs(sregs);
        sregs.Cr4 ^= GlobalPages;
        _fd.SetSregs(sregs);
    }

    /// <inheritdoc/>
    public void SetCpuid(ReadOnlySpan<CpuidEntry> entries)
    {
        if (_hasRun)
        {
            throw new VmmException(
                "KVM_SET_CPUID2", VmmError.EBUSY, $"vCPU {Id} has run: KVM takes no other CPUID afterwards");
        }

        KvmCpuidEntry2[] converted = new KvmCpuidEntry2[entries.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            converted[i] = KvmConvert.FromEntry(entries[i]);
        }

        _fd.SetCpuid2(converted);
        NoteInvpcid(entries);
    }

    private bool IsWithoutController => _vm.InterruptControllerMode == InterruptControllerMode.Userspace;

    private void WriteEvents()
    {
        _fd.GetVcpuEvents(out KvmVcpuEvents events);
        ToKvm(_events, ref events);
        _fd.SetVcpuEvents(events);
        _eventsDirty = false;
        _eventsValid = false;
    }

    private static BackendEvents FromKvm(in KvmVcpuEvents events)
    {
        EventInformation injected = events switch
        {
            { Exception.Injected: not 0 } => Exception(events),
            { Nmi.Injected: not 0 } => EventInformation.Create(EventType.Nmi, (byte)ExceptionVector.Nmi),
            { Interrupt.Injected: not 0 } => EventInformation.Create(
                events.Interrupt.Soft != 0 ? EventType.SoftwareInterrupt : EventType.HardwareInterrupt,
                events.Interrupt.Nr),
            _ => EventInformation.None,
        };
        return new BackendEvents(
            injected,
            events.Exception.Pending != 0 ? Exception(events) : EventInformation.None,
            events.Nmi.Pending != 0,
            events.Nmi.Masked != 0,
            events.Interrupt.Shadow != 0);
    }

    private static EventInformation Exception(in KvmVcpuEvents events) => EventInformation.Create(
        EventType.HardwareException,
        events.Exception.Nr,
        events.Exception.HasErrorCode != 0 ? events.Exception.ErrorCode : null);

    private static void ToKvm(in BackendEvents events, ref KvmVcpuEvents target)
    {
        bool hadPending = target.Exception.Pending != 0;
        target.Exception = default;
        target.Nmi.Injected = 0;
        target.Interrupt.Injected = 0;
        target.Interrupt.Soft = 0;
        bool isExceptionInjected = false;
        if (events.Injected.IsValid)
        {
            switch (events.Injected.Type)
            {
                case EventType.Nmi:
                    target.Nmi.Injected = 1;
                    break;
                case EventType.HardwareInterrupt or EventType.SoftwareInterrupt:
                    target.Interrupt.Injected = 1;
                    target.Interrupt.Nr = events.Injected.Vector;
                    target.Interrupt.Soft = events.Injected.Type == EventType.SoftwareInterrupt ? (byte)1 : (byte)0;
                    break;
                default:
                    isExceptionInjected = true;
                    break;
            }
        }

        // KVM has one exception: injected, or pending, which may be beside an interrupt that is injected.
        EventInformation exception = isExceptionInjected ? events.Injected : events.Pending;
        if (exception.IsValid)
        {
            target.Exception.Nr = exception.Vector;
            target.Exception.HasErrorCode = exception.HasErrorCode ? (byte)1 : (byte)0;
            target.Exception.ErrorCode = exception.ErrorCode;
            target.Exception.Injected = isExceptionInjected ? (byte)1 : (byte)0;
            target.Exception.Pending = isExceptionInjected ? (byte)0 : (byte)1;
        }

        target.Nmi.Pending = events.NmiPending ? (byte)1 : (byte)0;
        target.Nmi.Masked = events.NmiBlocked ? (byte)1 : (byte)0;

        // Either kind of shadow reads as set; a new one counts as STI's, which blocks maskable interrupts only.
        KvmInterruptShadow shadow = (KvmInterruptShadow)target.Interrupt.Shadow;
        target.Interrupt.Shadow = (byte)(!events.InterruptShadow ? KvmInterruptShadow.None
            : shadow != KvmInterruptShadow.None ? shadow : KvmInterruptShadow.Sti);
        KvmVcpuEventFlags flags = KvmVcpuEventFlags.NmiPending | KvmVcpuEventFlags.Shadow;

        // The payload of an exception that was pending in KVM goes with it; one from here has none.
        KvmVcpuEventFlags known = (KvmVcpuEventFlags)target.Flags;
        if (known.HasFlag(KvmVcpuEventFlags.Payload))
        {
            flags |= KvmVcpuEventFlags.Payload;
            if (!hadPending)
            {
                target.ExceptionHasPayload = 0;
                target.ExceptionPayload = 0;
            }
        }

        target.Flags = (uint)flags;
    }
}
