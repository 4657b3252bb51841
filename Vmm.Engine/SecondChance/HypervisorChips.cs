// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Emulation.Instructions.Requests;

namespace Vmm.Engine.SecondChance;

/// <summary>Where a PC has the chips that are inside the hypervisor in split and kernel mode.</summary>
internal static class HypervisorChips
{
    private const ulong LocalApic = 0xfee00000;
    private const ulong IoApic = 0xfec00000;
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
            ? address - LocalApic < Page || (isKernel && address - IoApic < Page)
            : isKernel && address is 0x20 or 0x21 or 0xa0 or 0xa1 or 0x4d0 or 0x4d1 or 0x61 or (>= 0x40 and <= 0x43);
    }
}
