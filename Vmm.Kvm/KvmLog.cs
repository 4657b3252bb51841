// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Backend;

namespace Vmm.Kvm;

/// <summary>Every message of this assembly. Nothing here is written per exit.</summary>
internal static class KvmLog
{
    public static void Opened(ILogger log, string path, HostVirtualization virtualization, bool synced) =>
        log.Debug("{Path} opened: {Virtualization}, registers through the run page: {Synced}", path, virtualization, synced);

    public static void NoDirtyRing(ILogger log, string name) =>
        log.Information("VM {Name}: this host has no rings of written pages that can be relied on; the bitmaps of memory slots take their place", name);

    public static void CannotTellPosition(ILogger log, string name) =>
        log.Debug("VM {Name}: this host does not report the bytes of instructions that it cannot emulate", name);
}
