// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Board;

/// <summary>Every message of this assembly. Nothing here is written per exit.</summary>
internal static class MachineLog
{
    public static void Started(ILogger log, string name, int cpus, ulong memory) =>
        log.Information("Machine {Name} starts with {Cpus} vCPUs and {Memory} bytes of RAM", name, cpus, memory);

    public static void Ended(ILogger log, string name, MachineEnd end, string detail) =>
        log.Information("Machine {Name} ended: {End}: {Detail}", name, end, detail);

    public static void Failed(ILogger log, string name, VcpuId vcpu, Exception error) =>
        log.Error(error, "Machine {Name}: the thread of vCPU {Vcpu} failed", name, vcpu.Value);

    public static void DebuggerConnected(ILogger log, string name) => log.Information("Machine {Name}: a debugger is connected", name);

    public static void DebuggerGone(ILogger log, string name) => log.Information("Machine {Name}: the debugger is gone", name);

    public static void SuspendedAlready(ILogger log, string name) =>
        log.Debug("Machine {Name} was suspended by the engine at the same time", name);
}
