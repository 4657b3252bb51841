// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>The capabilities that matter to a person who asks what a host can do, and what each is for.</summary>
internal static class KvmCapabilityTable
{
    /// <summary>The rows, in the order in which they are reported.</summary>
    public static ImmutableArray<Row> Rows { get; } =
    [
        new(KvmCapability.UserMemory,              true,  "guest memory; nothing works without it"),
        new(KvmCapability.ImmediateExit,           true,  "leaving a guest without losing a wake-up; nothing works without it"),
        new(KvmCapability.Irqchip,                 false, "interrupt controllers in the kernel; the PC board needs them"),
        new(KvmCapability.Pit2,                    false, "the 8254 timer in the kernel; the PC board needs it"),
        new(KvmCapability.SplitIrqchip,            false, "local APICs in the kernel, the rest in user space"),
        new(KvmCapability.SyncRegs,                false, "registers without a request of their own at every exit"),
        new(KvmCapability.X86UserSpaceMsr,         false, "MSRs that user space answers; without it the guest gets a fault"),
        new(KvmCapability.X86MsrFilter,            false, "choosing which MSRs user space answers"),
        new(KvmCapability.ExitOnEmulationFailure,  false, "the bytes of an instruction that KVM cannot emulate"),
        new(KvmCapability.ExceptionPayload,        false, "exact state of pending page faults and debug exceptions"),
        new(KvmCapability.ReadonlyMem,             false, "ROM that the guest cannot write"),
        new(KvmCapability.Ioeventfd,               false, "device notifications without an exit to user space"),
        new(KvmCapability.Irqfd,                   false, "device interrupts without a request"),
        new(KvmCapability.SignalMsi,               false, "message-signalled interrupts"),
        new(KvmCapability.ManualDirtyLogProtect2,  false, "the log of written pages, cleared piece by piece"),
        new(KvmCapability.DirtyLogRing,            false, "the log of written pages as a ring"),
        new(KvmCapability.X2apicApi,               false, "more than 255 processors"),
        new(KvmCapability.Xsave2,                  false, "saving large extended state (AMX)"),
        new(KvmCapability.AdjustClock,             false, "saving and restoring the paravirtual clock"),
        new(KvmCapability.TscControl,              false, "a time-stamp counter at a frequency of its own"),
        new(KvmCapability.TscDeadlineTimer,        false, "the APIC timer's deadline mode"),
        new(KvmCapability.SetGuestDebug,           false, "single step and breakpoints from outside"),
        new(KvmCapability.NestedState,             false, "saving guests that run guests"),
        new(KvmCapability.X86Smm,                  false, "system-management mode, which some firmware wants"),
        new(KvmCapability.BinaryStatsFd,           false, "the kernel's own statistics"),
        new(KvmCapability.GuestMemfd,              false, "memory that the host cannot read"),
    ];

    /// <summary>A row.</summary>
    public readonly record struct Row(KvmCapability Capability, bool IsRequired, string Meaning);
}
