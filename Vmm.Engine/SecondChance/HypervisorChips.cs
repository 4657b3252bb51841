// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Emulation.Interrupts;
using Vmm.Engine.Chips;

namespace Vmm.Engine.SecondChance;

/// <summary>Where a PC has the chips that are inside the hypervisor in split and kernel mode.</summary>
internal static class HypervisorChips
{
    private const ulong Page = 0x1000;

    /// <summary>Whether an access belongs to a chip of the hypervisor.</summary>
    public static bool Own(InterruptControllerMode mode, AccessKind kind, ulong address)
    {
        if (mode == InterruptControllerMode.Userspace)
        {
            return false;
        }

        bool isKernel = mode == InterruptControllerMode.Kernel;
        return kind is AccessKind.MemoryRead or AccessKind.MemoryWrite
            ? address - PlatformChips.LocalApicAddress < Page || (isKernel && address - PlatformChips.IoApicAddress < Page)
            : isKernel && (PlatformPorts.IsTimer((ushort)address) || AtPic.Ports.Contains((ushort)address));
    }
}
