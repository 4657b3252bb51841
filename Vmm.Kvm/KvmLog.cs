// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Backend;

namespace Vmm.Kvm;

/// <summary>Every message of this assembly. Nothing here is written per exit.</summary>
internal static class KvmLog
{
    public static void Opened(ILogger log, string path, HostVirtualization virtualization, bool synced) =>
        log.Debug("{Path} opened: {Virtualization}, registers through the run page: {Synced}", path, virtualization, synced);

    public static void CannotTellPosition(ILogger log, string name) =>
        log.Debug("VM {Name}: this host does not report the bytes of instructions that it cannot emulate", name);
}
