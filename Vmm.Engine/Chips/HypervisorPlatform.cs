// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Engine.Time;

namespace Vmm.Engine.Chips;

/// <summary>The chips that the hypervisor has, as the contract shows them, between two initializations of a VM.</summary>
internal sealed class HypervisorPlatform
{
    private readonly VirtualTime _time;
    private readonly IBackendInterrupts _interrupts;

    private HypervisorPlatform(VirtualTime time, IBackendInterrupts interrupts, IBackendChips? chips)
    {
        _time = time;
        _interrupts = interrupts;
        if (chips is not null)
        {
            Lines = new HypervisorLines(interrupts, chips);
            IoApic = new HypervisorIoApic(Lines, chips);
            AtPic = new HypervisorAtPic(Lines, chips);
            AtPit = new HypervisorAtPit(time, chips);
        }
    }

    /// <summary>The inputs of the I/O APIC and the 8259 pair, in kernel mode.</summary>
    public HypervisorLines? Lines { get; }

    /// <summary>The I/O APIC, in kernel mode.</summary>
    public HypervisorIoApic? IoApic { get; }

    /// <summary>The 8259 pair, in kernel mode.</summary>
    public HypervisorAtPic? AtPic { get; }

    /// <summary>The 8254, in kernel mode.</summary>
    public HypervisorAtPit? AtPit { get; }

    /// <summary>Makes it for a VM whose hypervisor has chips and shows them; else null.</summary>
    public static HypervisorPlatform? TryMake(VirtualMachine machine, VirtualTime time)
    {
        if (machine.InterruptControllerMode == InterruptControllerMode.Userspace || machine.BackendVm is not IBackendInterrupts interrupts)
        {
            return null;
        }

        bool isKernel = machine.InterruptControllerMode == InterruptControllerMode.Kernel;
        return new HypervisorPlatform(time, interrupts, isKernel ? machine.BackendVm as IBackendChips : null);
    }

    /// <summary>A vCPU's local APIC.</summary>
    public HypervisorLocalApic FindLocalApic(VirtualCpu cpu) => new(cpu, _time, _interrupts);
}
