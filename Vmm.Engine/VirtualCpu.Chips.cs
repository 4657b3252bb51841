// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine;

/// <content>The vCPU's local APIC, where it is the engine's.</content>
public sealed partial class VirtualCpu
{
    private const uint TimeStampCounterMsr = 0x10;

    private LocalApic? _apic;
    private long _tscDeadlineFrequency;

    /// <summary>Whether the local APIC or the 8259 pair behind it has something that an interruptible guest takes.</summary>
    private bool HasChipInterrupt =>
        _apic is { } apic && (HasExternalInterrupt(apic) || apic.TryGetPendingVector(out _));

    /// <summary>The vCPU's local APIC, made when it is first needed.</summary>
    internal LocalApic RequireLocalApic()
    {
        if (_machine.Chips?.FindLocalApic(Id) is { } apic)
        {
            return apic;
        }

        TakeOwnership();
        try
        {
            _ = Backend;
            return _apic!;
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <summary>The guest reads the register page.</summary>
    internal ulong ReadLocalApic(ulong offset, int bytes)
    {
        LocalApic apic = LocalApicOfOwner();
        return apic.ReadMmio(offset, bytes);
    }

    /// <summary>The guest writes the register page.</summary>
    internal void WriteLocalApic(ulong offset, int bytes, ulong value)
    {
        LocalApic apic = LocalApicOfOwner();
        apic.WriteMmio(offset, bytes, value);
        AfterApicWrite(apic);
    }

    /// <summary>The guest reads one of the local APIC's MSRs.</summary>
    internal MsrOutcome ReadLocalApicMsr(uint index, out ulong value) => LocalApicOfOwner().ReadMsr(index, out value);

    /// <summary>The guest writes one of the local APIC's MSRs.</summary>
    internal MsrOutcome WriteLocalApicMsr(uint index, ulong value)
    {
        LocalApic apic = LocalApicOfOwner();
        if (index == LocalApic.TscDeadlineMsr)
        {
            SynchronizeTsc(apic);
        }

        ulong before = apic.ApicBase;
        MsrOutcome outcome = apic.WriteMsr(index, value);
        if (apic.ApicBase != before)
        {
            PushApicBase(Backend, apic);
        }

        AfterApicWrite(apic);
        return outcome;
    }

    /// <summary>Makes the local APIC, and tells the hypervisor its base; the caller owns the vCPU.</summary>
    private void MakeLocalApic(IBackendVcpu backend)
    {
        if (!_machine.HasLocalApics)
        {
            return;
        }

        _tscDeadlineFrequency = backend.TscDeadlineFrequency;
        LocalApic apic = _machine.RequireChips().MakeLocalApic(Id, new ApicSink(this), _machine.Time, _tscDeadlineFrequency);
        apic.SetX2Apic(_x2ApicState == Abstractions.Registers.X2ApicState.Enabled);
        PushApicBase(backend, apic);
        _apic = apic;
    }

    /// <summary>The local APIC, with the task priority as the guest left it.</summary>
    private LocalApic LocalApicOfOwner()
    {
        LocalApic apic = _apic ?? RequireLocalApic();
        PullTaskPriority(Backend, apic);
        return apic;
    }

    /// <summary>CR8 and the task-priority register are one: the guest writes CR8 without an exit.</summary>
    private static void PullTaskPriority(IBackendVcpu backend, LocalApic apic)
    {
        byte priority = backend.TaskPriority;
        if (priority != apic.TaskPriorityClass)
        {
            apic.TrySetTaskPriorityClass(priority);
        }
    }

    /// <summary>A write may have changed the task priority, or let through what was waiting.</summary>
    private void AfterApicWrite(LocalApic apic)
    {
        Backend.TaskPriority = apic.TaskPriorityClass;
        if (HasChipInterrupt)
        {
            Interlocked.Exchange(ref _attention, 1);
        }
    }

    private static void PushApicBase(IBackendVcpu backend, LocalApic apic)
    {
        // The hypervisor shows the enable bit in CPUID. One that does not know the register needs no telling.
        _ = backend.TrySetMsr(new MsrIndex(LocalApic.ApicBaseMsr), apic.ApicBase);
    }

    /// <summary>
    /// Finds out what the guest's TSC has at the VM's time zero. Anew at each deadline, because the guest may have set its TSC and the
    /// two clocks drift.
    /// </summary>
    private void SynchronizeTsc(LocalApic apic)
    {
        if (_machine.Time.IsManual || _tscDeadlineFrequency == 0
            || !Backend.TryGetMsr(new MsrIndex(TimeStampCounterMsr), out ulong counter))
        {
            return;
        }

        const long NanosecondsPerSecond = 1_000_000_000;
        Int128 sinceBoot = (Int128)_machine.Time.Now * _tscDeadlineFrequency / NanosecondsPerSecond;
        apic.TscOffset = unchecked((long)(counter - (ulong)sinceBoot));
    }

    /// <summary>Resets the local APIC with its processor.</summary>
    private void ResetLocalApic(IBackendVcpu backend, bool initOnly)
    {
        if (_apic is not { } apic)
        {
            return;
        }

        if (initOnly)
        {
            apic.ResetByInit();
        }
        else
        {
            apic.Reset();
            PushApicBase(backend, apic);
        }

        backend.TaskPriority = 0;
    }

    /// <summary>
    /// Injects an interrupt of the 8259 pair, or the local APIC's highest vector, if the guest takes it now; asks for the window if
    /// one has to wait.
    /// </summary>
    /// <param name="backend">The hypervisor's vCPU.</param>
    /// <param name="apic">The local APIC.</param>
    /// <param name="isBusy">Whether another event is on its way.</param>
    private void InjectChipInterrupt(IBackendVcpu backend, LocalApic apic, bool isBusy)
    {
        PullTaskPriority(backend, apic);
        if (!isBusy && backend.IsReadyForInterrupt)
        {
            if (HasExternalInterrupt(apic) || IsExternalInterruptPending)
            {
                if (IsExternalInterruptPending)
                {
                    ClearExternalInterrupt();
                }
                else
                {
                    _externalInterrupts++;
                }

                apic.AcceptExternalInterrupt();
                backend.InjectInterrupt(_machine.RequireChips().AtPic!.Acknowledge());
            }
            else if (apic.TryGetPendingVector(out byte vector))
            {
                apic.AcceptInterrupt(vector);
                backend.InjectInterrupt(vector);
            }
        }

        // Left open for nothing, the window would make the guest exit at each entry.
        bool waits = HasChipInterrupt || IsExternalInterruptPending;
        if (backend.InterruptWindowRequested != waits)
        {
            backend.InterruptWindowRequested = waits;
        }
    }

    /// <summary>
    /// Injects an interrupt of the engine's 8259 pair where the hypervisor has the local APICs: it is wired to the first processor, whose
    /// local APIC, in the hypervisor, says when the guest takes it.
    /// </summary>
    private void InjectPicInterrupt(IBackendVcpu backend, AtPic pic, bool isBusy)
    {
        if (pic.IsInterruptRequested && !isBusy && backend.IsReadyForInterrupt)
        {
            _externalInterrupts++;
            backend.InjectInterrupt(pic.Acknowledge());
        }

        if (backend.InterruptWindowRequested != pic.IsInterruptRequested)
        {
            backend.InterruptWindowRequested = pic.IsInterruptRequested;
        }
    }

    /// <summary>
    /// The 8259 pair's wire is driven by one thread at a time, which may be behind: without a request there is nothing to acknowledge.
    /// </summary>
    private bool HasExternalInterrupt(LocalApic apic) =>
        apic.HasExternalInterrupt && _machine.RequireChips().AtPic!.IsInterruptRequested;

    /// <summary>Notes an event; makes the guest exit for it unless this is the thread that would enter it.</summary>
    internal void NotifyByChip()
    {
        if (Volatile.Read(ref _owner) == Environment.CurrentManagedThreadId)
        {
            Interlocked.Exchange(ref _attention, 1);
        }
        else
        {
            Notify();
        }
    }

    private sealed class ApicSink(VirtualCpu cpu) : IApicSink
    {
        public void InterruptPending() => cpu.NotifyByChip();

        public void ExternalInterrupt() => cpu.NotifyByChip();

        public void Nmi()
        {
            Volatile.Write(ref cpu._nmiPending, true);
            cpu.NotifyByChip();
        }

        public void Init() => cpu.InjectInit();

        public void StartUp(byte vector) => cpu.InjectSipi(vector);
    }
}
