// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;
using Vmm.Engine.Faults;

namespace Vmm.Engine;

/// <summary>Every message of this assembly. Nothing here is written per exit.</summary>
internal static class EngineLog
{
    public static void Created(ILogger log, string name, int maxCpus, InterruptControllerMode mode) =>
        log.Information("VM {Name} created with up to {MaxCpus} vCPUs, interrupt controllers {Mode}", name, maxCpus, mode);

    public static void Destroyed(ILogger log, string name) => log.Information("VM {Name} destroyed", name);

    public static void TripleFault(ILogger log, string name, TripleFaultReport report) =>
        log.Information("VM {Name}: {Report}", name, report);

    public static void Reinitialized(ILogger log, string name) => log.Information("VM {Name} reinitialized", name);

    public static void Suspended(ILogger log, string name, SuspendReason reason) =>
        log.Information("VM {Name} suspended: {Reason}", name, reason);

    public static void SecondChance(ILogger log, string name, string instruction, ReadOnlySpan<byte> bytes, ulong rip)
    {
        if (log.IsEnabled(Serilog.Events.LogEventLevel.Debug))
        {
            log.Debug(
                "VM {Name}: the hypervisor cannot emulate {Instruction} ({Bytes}); executed before 0x{Rip:x}, and from now on only counted",
                name,
                instruction,
                Convert.ToHexStringLower(bytes),
                rip);
        }
    }

    public static void TimerFailed(ILogger log, string name, Exception error) =>
        log.Error(error, "VM {Name}: a device failed on the timer thread", name);

    public static void EventFailed(ILogger log, string name, Exception error) =>
        log.Error(error, "VM {Name}: an event cannot raise its interrupt and is let go", name);

    public static void EventNotSignalled(ILogger log, string name, Exception error) =>
        log.Debug(error, "VM {Name}: a device was not told that its interrupt has ended", name);

    public static void MsrAccess(ILogger log, string name, string register, bool isWrite, MsrAnswer answer) =>
        log.Debug(
            "VM {Name}: {Register} is {Access}; answered by {Answer}, and from now on only counted",
            name,
            register,
            isWrite ? "written" : "read",
            answer);

    public static void MsrNotSaved(ILogger log, string name, VcpuId vcpu, MsrRefusal refusal) =>
        log.Debug("VM {Name}, vCPU {Vcpu}: not saved: {Refusal}", name, vcpu.Value, refusal);

    public static void MsrNotRestored(ILogger log, string name, VcpuId vcpu, MsrRefusal refusal) =>
        log.Warning("VM {Name}, vCPU {Vcpu}: not restored: {Refusal}", name, vcpu.Value, refusal);

    public static void DoorbellFull(ILogger log, string name, object registration) =>
        log.Debug("VM {Name}: the {Registration} was rung while its eventfd was full or being ended; said once", name, registration);

    public static void TscIsTheHosts(ILogger log, string name, string hypervisor) =>
        log.Warning(
            "VM {Name}: {Hypervisor} on this host takes no offset of the time-stamp counter (IA32_TSC): the guest begins with the host's count and sees it also after a restore",
            name,
            hypervisor);

    public static void NotTakenByHypervisor(ILogger log, string name, object registration, string why) =>
        log.Debug("VM {Name}: the hypervisor does not take the {Registration}: {Why}; its writes are exits", name, registration, why);

    public static void FirstUnclaimed(ILogger log, string name, string kind, ulong address) =>
        log.Debug("VM {Name}: nobody claims {Kind} 0x{Address:x}; further accesses to it are only counted", name, kind, address);
}
